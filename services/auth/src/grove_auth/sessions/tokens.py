"""The tokens of a session as the services hand them around, before they are an answer."""

from pydantic import BaseModel

from grove_auth.models import Session, User
from grove_auth.resources import Resources


class SessionTokens(BaseModel):
    """New tokens. `cookie`: the refresh token goes into a cookie, not into the body."""

    access_token: str
    expires_in: int
    refresh_token: str | None
    refresh_expires_in: int | None
    session_id: str
    cookie: bool = False
    csrf_token: str | None = None
    """Given out when the session starts; only its hash is stored."""


async def tokens_for(
    resources: Resources, user: User, session: Session, refresh_token: str | None, csrf_token: str | None = None
) -> SessionTokens:
    """A fresh access token beside the session's refresh token."""
    left = session.expires_at - session.last_active_at
    return SessionTokens(
        access_token=await resources.keys.access_token(user, session),
        expires_in=resources.settings.access_token_minutes * 60,
        refresh_token=refresh_token,
        refresh_expires_in=int(left.total_seconds()) if refresh_token else None,
        session_id=session.id,
        cookie=session.csrf_hash is not None,
        csrf_token=csrf_token,
    )
