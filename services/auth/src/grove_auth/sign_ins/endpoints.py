"""Sign-in by password, and proving again that it is you."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.deps import CODE_LIMIT, PASSWORD_LIMIT, LimiterDep, ResourcesDep, SessionUser
from grove_auth.devices import cookies as device_cookies
from grove_auth.one_time_tokens import token_hash
from grove_auth.sessions import cookies
from grove_auth.sessions.schemas import AccessToken, TokenPair
from grove_auth.sign_ins.reauthentication import ReauthenticationService
from grove_auth.sign_ins.schemas import Login, Reauthenticate, ReauthenticateChallenge
from grove_auth.sign_ins.service import SignInService

router = APIRouter(prefix="/api/v1/auth", tags=["sign-in"], route_class=GroveRoute, responses=error_responses())

LOGIN_LIMIT = Limit("login", 5, 60)


async def _service(resources: ResourcesDep) -> SignInService:
    return SignInService(resources)


async def _reauthentication(resources: ResourcesDep) -> ReauthenticationService:
    return ReauthenticationService(resources)


SignIns = Annotated[SignInService, Depends(_service)]
Reauthentication = Annotated[ReauthenticationService, Depends(_reauthentication)]


@router.post("/login")
async def login(data: Login, request: Request, response: Response, sign_ins: SignIns, limiter: LimiterDep) -> TokenPair:
    """Sign in with address and password.

    With MFA on the answer is 401 `MFA_REQUIRED` with an `mfa_token` for `/mfa/verify`, unless the device is trusted.
    """
    context = current_context()
    network = network_of(context.client_ip if context else None)
    await limiter.enforce(LOGIN_LIMIT, f"{network}:{token_hash(data.email).hex()[:32]}")
    return cookies.answer(response, await sign_ins.login(data, device_cookies.token_of(request)))


@router.post("/reauthenticate")
async def reauthenticate(
    data: Reauthenticate, user: SessionUser, reauthentication: Reauthentication, limiter: LimiterDep
) -> AccessToken:
    """Prove that it is you: an access token of this session that step-up accepts for 5 minutes."""
    await limiter.enforce(PASSWORD_LIMIT, str(user.user_id))
    return await reauthentication.reauthenticate(user.user_id, user.session_id, data)


@router.post("/reauthenticate/challenge", status_code=202, response_class=Response)
async def reauthenticate_challenge(
    data: ReauthenticateChallenge, user: SessionUser, reauthentication: Reauthentication, limiter: LimiterDep
) -> Response:
    """Send the code that `/reauthenticate` takes: by a second factor of yours, or by mail if you have no password."""
    await limiter.enforce(CODE_LIMIT, str(user.user_id))
    await reauthentication.send_code(user.user_id, user.session_id, data.method)
    return Response(status_code=202)
