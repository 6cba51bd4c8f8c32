"""Routes of the operators' pages. Every page takes an `Operator`, and so is seen by nobody else."""

from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.responses import RedirectResponse, Response

from grove.core.clock import now
from grove.core.errors import GroveError, Unauthorized
from grove.web.errors import render
from grove_gateway.deps import AtHome, ResourcesDep
from grove_gateway.operators.access import COOKIE
from grove_gateway.operators.deps import Operator, OwnPage
from grove_gateway.pages.rendering import page
from grove_gateway.status.service import reports

log = structlog.get_logger()

OVERVIEW = "/operator"
SIGN_IN = f"{OVERVIEW}/sign-in"
WANTED = r"^/operator(?:[/?][!-\[\]-~]*)?$"
"""Where a sign-in may lead: to an operators' page, and so never to another site."""

router = APIRouter(prefix=OVERVIEW, include_in_schema=False, dependencies=[AtHome])


@router.get("")
async def overview(_: Operator, resources: ResourcesDep) -> Response:
    """Each service's state with the reasons, and how its events fare."""
    return page("operator.html", resources.settings, services=await reports(resources))


@router.get("/sign-in")
async def sign_in(
    resources: ResourcesDep, wanted: Annotated[str, Query(alias="next", pattern=WANTED, max_length=2000)] = OVERVIEW
) -> Response:
    """Where operators sign in. `next`: the page that they wanted."""
    return page("operator_sign_in.html", resources.settings, wanted=wanted)


@router.post("/session", status_code=204, dependencies=[OwnPage])
async def begin(request: Request, resources: ResourcesDep) -> Response:
    """Swap an access token for the cookie that shows the pages, as long as the token lives."""
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() != "bearer":
        raise Unauthorized
    operator = await resources.operators.operator(token)
    response = Response(status_code=204)
    left = max(0, int((operator.expires_at - now()).total_seconds()))
    response.set_cookie(COOKIE, token, max_age=left, secure=True, httponly=True, samesite="strict")
    log.info("operator.signed_in", user_id=str(operator.user_id))
    return response


@router.delete("/session", status_code=204, dependencies=[OwnPage])
async def end(request: Request, resources: ResourcesDep) -> Response:
    """Sign out: the session ends everywhere, and the browser forgets it."""
    token = request.cookies.get(COOKIE)
    if token:
        try:
            await resources.operators.sign_out(token)
        except GroveError as error:  # the browser forgets its token all the same, and nobody else has it
            log.warning("operator.session_not_ended", reason=error.message)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
    return response


async def to_sign_in(request: Request, _: Exception) -> Response:
    """What SignInNeeded is answered with. The sign-in leads back to the page that was wanted."""
    path = quote(request.url.path)
    wanted = f"{path}?{request.url.query}" if request.url.query else path
    way_back = "" if wanted == OVERVIEW or request.method != "GET" else f"?next={quote(wanted, safe='/')}"
    return RedirectResponse(f"{SIGN_IN}{way_back}", status_code=303)


async def refuse(request: Request, error: Exception) -> Response:
    """What NotAnOperator is answered with: a page, or an error in Grove's format where a script asked."""
    if not isinstance(error, GroveError):
        raise error
    if request.method != "GET":
        return render(request, error)
    message = error.message
    return page("operator_refused.html", request.app.state.resources.settings, status=403, message=message)
