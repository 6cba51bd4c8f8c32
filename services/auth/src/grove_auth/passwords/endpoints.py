"""Password routes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.captcha.endpoints import Captcha
from grove_auth.deps import PASSWORD_LIMIT, RESEND_LIMIT, LimiterDep, ResourcesDep, SessionUser, limit_strangers
from grove_auth.one_time_tokens import token_hash
from grove_auth.passwords.schemas import ChangePassword, RequestPasswordReset, ResetPassword
from grove_auth.passwords.service import PasswordService
from grove_auth.sessions import cookies
from grove_auth.sessions.schemas import TokenPair

router = APIRouter(prefix="/api/v1/auth", tags=["passwords"], route_class=GroveRoute, responses=error_responses(410))

RESET_LIMIT = Limit("password-reset", 3, 3600)


async def _service(resources: ResourcesDep) -> PasswordService:
    return PasswordService(resources)


Passwords = Annotated[PasswordService, Depends(_service)]


@router.post("/change-password")
async def change_password(
    data: ChangePassword, response: Response, user: SessionUser, passwords: Passwords, limiter: LimiterDep
) -> TokenPair:
    """Change your password. Your other sessions end; this one goes on with the tokens of the answer."""
    await limiter.enforce(PASSWORD_LIMIT, str(user.user_id))
    return cookies.answer(response, await passwords.change(user.user_id, user.session_id, data))


@router.post("/request-password-reset", status_code=202, response_class=Response)
async def request_password_reset(
    data: RequestPasswordReset, passwords: Passwords, captcha: Captcha, limiter: LimiterDep
) -> Response:
    """Mail a link that sets a new password. The answer is the same for an address without an account."""
    context = current_context()
    await limiter.enforce(RESEND_LIMIT, f"reset:{token_hash(data.email).hex()[:32]}")
    await limiter.enforce(RESET_LIMIT, network_of(context.client_ip if context else None))
    await captcha.guard(data.email, data.captcha)
    await passwords.request_reset(data.email)
    return Response(status_code=202)


@router.post("/reset-password", status_code=204, dependencies=[Depends(limit_strangers)])
async def reset_password(data: ResetPassword, passwords: Passwords) -> None:
    """Set a new password with the token of the mailed link. All your sessions end."""
    await passwords.reset(data.token, data.new_password)
