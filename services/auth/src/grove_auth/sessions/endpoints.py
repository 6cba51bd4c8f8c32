"""Sign-in and session routes."""

from typing import Annotated

from fastapi import APIRouter, Depends

from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.rate_limit import Limit
from grove_auth.deps import PASSWORD_LIMIT, LimiterDep, ResourcesDep, SessionUser
from grove_auth.one_time_tokens import token_hash
from grove_auth.sessions.schemas import AccessToken, Login, Reauthenticate, Refresh, SessionList, SessionRead, TokenPair
from grove_auth.sessions.service import SessionService

router = APIRouter(prefix="/api/v1/auth", tags=["sessions"], route_class=GroveRoute, responses=error_responses(404))

LOGIN_LIMIT = Limit("login", 5, 60)
REFRESH_LIMIT = Limit("refresh", 30, 60)


async def _service(resources: ResourcesDep) -> SessionService:
    return SessionService(resources)


Sessions = Annotated[SessionService, Depends(_service)]


@router.post("/login")
async def login(data: Login, sessions: Sessions, limiter: LimiterDep) -> TokenPair:
    """Sign in with address and password."""
    context = current_context()
    network = network_of(context.client_ip if context else None)
    await limiter.enforce(LOGIN_LIMIT, f"{network}:{token_hash(data.email).hex()[:32]}")
    return await sessions.login(data)


@router.post("/refresh")
async def refresh(data: Refresh, sessions: Sessions, limiter: LimiterDep) -> TokenPair:
    """Swap the refresh token for a new pair; each refresh token works once."""
    await limiter.enforce(REFRESH_LIMIT, token_hash(data.refresh_token).hex()[:32])
    return await sessions.refresh(data.refresh_token)


@router.post("/reauthenticate")
async def reauthenticate(
    data: Reauthenticate, user: SessionUser, sessions: Sessions, limiter: LimiterDep
) -> AccessToken:
    """Prove that it is you: an access token of this session that step-up accepts for 5 minutes."""
    await limiter.enforce(PASSWORD_LIMIT, str(user.user_id))
    return await sessions.reauthenticate(user.user_id, user.session_id, data.password)


@router.post("/logout", status_code=204)
async def logout(user: SessionUser, sessions: Sessions) -> None:
    """End this session; its tokens are dead everywhere within a second."""
    await sessions.end(user.user_id, user.session_id, "logout")


@router.get("/sessions")
async def list_sessions(user: SessionUser, sessions: Sessions) -> SessionList:
    """Your sessions, newest first."""
    found = await sessions.of_user(user.user_id)
    return SessionList(
        items=[
            SessionRead(**session.model_dump(include=_SHOWN), current=session.id == user.session_id)
            for session in found
        ]
    )


@router.delete("/sessions/others", status_code=204)
async def end_other_sessions(user: SessionUser, sessions: Sessions) -> None:
    """End all your sessions but this one."""
    await sessions.end_all(user.user_id, but=user.session_id)


@router.delete("/sessions/all", status_code=204)
async def end_all_sessions(user: SessionUser, sessions: Sessions) -> None:
    """End all your sessions."""
    await sessions.end_all(user.user_id)


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, user: SessionUser, sessions: Sessions) -> None:
    """End one of your sessions."""
    await sessions.end(user.user_id, session_id, "revoked")


_SHOWN = set(SessionRead.model_fields) - {"current", "city", "country"}
