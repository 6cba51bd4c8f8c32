"""Sign-in by password, and proving again that it is you."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.deps import PASSWORD_LIMIT, LimiterDep, ResourcesDep, SessionUser
from grove_auth.one_time_tokens import token_hash
from grove_auth.sessions import cookies
from grove_auth.sessions.schemas import AccessToken, TokenPair
from grove_auth.sign_ins.schemas import Login, Reauthenticate
from grove_auth.sign_ins.service import SignInService

router = APIRouter(prefix="/api/v1/auth", tags=["sign-in"], route_class=GroveRoute, responses=error_responses())

LOGIN_LIMIT = Limit("login", 5, 60)


async def _service(resources: ResourcesDep) -> SignInService:
    return SignInService(resources)


SignIns = Annotated[SignInService, Depends(_service)]


@router.post("/login")
async def login(data: Login, response: Response, sign_ins: SignIns, limiter: LimiterDep) -> TokenPair:
    """Sign in with address and password."""
    context = current_context()
    network = network_of(context.client_ip if context else None)
    await limiter.enforce(LOGIN_LIMIT, f"{network}:{token_hash(data.email).hex()[:32]}")
    return cookies.answer(response, await sign_ins.login(data))


@router.post("/reauthenticate")
async def reauthenticate(
    data: Reauthenticate, user: SessionUser, sign_ins: SignIns, limiter: LimiterDep
) -> AccessToken:
    """Prove that it is you: an access token of this session that step-up accepts for 5 minutes."""
    await limiter.enforce(PASSWORD_LIMIT, str(user.user_id))
    return await sign_ins.reauthenticate(user.user_id, user.session_id, data)
