"""Routes of the operators' pages. Every page takes an `Operator`, and so is seen by nobody else."""

import asyncio

import structlog
from fastapi import APIRouter, Request
from fastapi.security.utils import get_authorization_scheme_param
from starlette.responses import RedirectResponse, Response

from grove.core.clock import now
from grove.core.errors import GroveError, Unauthorized
from grove_gateway.dead_letters.service import fares
from grove_gateway.deps import ResourcesDep
from grove_gateway.operators.access import COOKIE
from grove_gateway.operators.deps import Operator, OwnPage
from grove_gateway.pages.rendering import page
from grove_gateway.status.service import reports

log = structlog.get_logger()

SIGN_IN = "/operator/sign-in"

router = APIRouter(prefix="/operator", include_in_schema=False)


@router.get("")
async def overview(_: Operator, resources: ResourcesDep) -> Response:
    """Each service's state, with the reasons, and how its events fare."""
    services, found = await asyncio.gather(reports(resources), fares(resources))
    return page("operator.html", resources.settings, services=services, fares=found)


@router.get("/sign-in")
async def sign_in(resources: ResourcesDep) -> Response:
    """Where operators sign in."""
    return page("operator_sign_in.html", resources.settings)


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


async def to_sign_in(_: Request, __: Exception) -> Response:
    """What SignInNeeded is answered with."""
    return RedirectResponse(SIGN_IN, status_code=303)


async def refuse(request: Request, error: Exception) -> Response:
    """What NotAnOperator is answered with."""
    message = error.message if isinstance(error, GroveError) else ""
    answer = page("operator_refused.html", request.app.state.resources.settings, message=message)
    answer.status_code = 403
    return answer
