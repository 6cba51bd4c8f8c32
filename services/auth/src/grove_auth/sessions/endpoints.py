"""Session routes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_auth.deps import ResourcesDep, SessionUser
from grove_auth.sessions import cookies
from grove_auth.sessions.errors import InvalidRefreshToken
from grove_auth.sessions.refreshes import RefreshService
from grove_auth.sessions.schemas import Refresh, SessionList, SessionRead, TokenPair
from grove_auth.sessions.service import SessionService

router = APIRouter(prefix="/api/v1/auth", tags=["sessions"], route_class=GroveRoute, responses=error_responses(404))


async def _service(resources: ResourcesDep) -> SessionService:
    return SessionService(resources)


async def _refreshes(resources: ResourcesDep) -> RefreshService:
    return RefreshService(resources)


Sessions = Annotated[SessionService, Depends(_service)]
Refreshes = Annotated[RefreshService, Depends(_refreshes)]


@router.post("/refresh")
async def refresh(
    request: Request,
    response: Response,
    resources: ResourcesDep,
    refreshes: Refreshes,
    data: Refresh | None = None,
) -> TokenPair:
    """Swap the refresh token for a new pair; each refresh token works once.

    In cookie mode send no body, but the header `X-CSRF-Token`.
    """
    token, csrf_token = data.refresh_token if data else None, None
    if token is None:
        token, csrf_token = cookies.refresh_token(request, resources.settings) or (None, None)
    if token is None:
        raise InvalidRefreshToken("Send the refresh token in the body, or its cookie.")
    return cookies.answer(response, await refreshes.refresh(token, csrf_token))


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response, user: SessionUser, sessions: Sessions) -> None:
    """End this session; its tokens are dead everywhere within a second."""
    cookies.forget(request, response)
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


_SHOWN = set(SessionRead.model_fields) - {"current"}
