"""The tokens of a session as the services hand them around, before they are an answer."""

from pydantic import BaseModel


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
