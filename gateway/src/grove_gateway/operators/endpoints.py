"""Routes of the operators' pages. Every page takes an `Operator`, and so is seen by nobody else."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.responses import RedirectResponse, Response

from grove.core.clock import now
from grove.core.errors import GroveError, InvalidToken, Unauthorized
from grove.security.principal import Principal
from grove_gateway.deps import ResourcesDep
from grove_gateway.operators.access import COOKIE
from grove_gateway.operators.errors import ForeignOrigin, SignInNeeded
from grove_gateway.pages.rendering import page
from grove_gateway.status.service import reports

log = structlog.get_logger()

SIGN_IN = "/operator/sign-in"

router = APIRouter(prefix="/operator", include_in_schema=False)


async def _operator(request: Request, resources: ResourcesDep) -> Principal:
    try:
        return await resources.operators.operator(request.cookies.get(COOKIE, ""))
    except InvalidToken:
        raise SignInNeeded from None


async def _own_page(request: Request, resources: ResourcesDep) -> None:
    if request.headers.get("origin") != resources.settings.public_url:
        raise ForeignOrigin


Operator = Annotated[Principal, Depends(_operator)]


@router.get("")
async def overview(_: Operator, resources: ResourcesDep) -> Response:
    """Each service's state, with the reasons."""
    return page("operator.html", resources.settings, services=await reports(resources))


@router.get("/sign-in")
async def sign_in(resources: ResourcesDep) -> Response:
    """Where operators sign in."""
    return page("operator_sign_in.html", resources.settings)


@router.post("/session", status_code=204, dependencies=[Depends(_own_page)])
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


@router.delete("/session", status_code=204, dependencies=[Depends(_own_page)])
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


async def to_sign_in(_: Request, __: Exception) -> Response:
    """What SignInNeeded is answered with."""
    return RedirectResponse(SIGN_IN, status_code=303)


async def refuse(request: Request, error: Exception) -> Response:
    """What NotAnOperator is answered with."""
    message = error.message if isinstance(error, GroveError) else ""
    answer = page("operator_refused.html", request.app.state.resources.settings, message=message)
    answer.status_code = 403
    return answer
