"""Sessions and their tokens as JSON."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.schema import Incoming, Moment, Outgoing
from grove.core.text import CleanLine

Token = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(str.strip)]


class SessionOptions(Incoming):
    """What kind of session is wanted. Every way to sign in takes them, and keeps them until its last factor."""

    remember_me: bool = Field(False, description="Ends after 30 days instead of one, by default")
    refresh: bool = Field(True, description="False: an access token only")
    cookie: bool = Field(False, description="The refresh token in a cookie; the answer bears a `csrf_token`")
    device_name: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), CleanLine] | None
    ) = None


class Refresh(Incoming):
    """The refresh token of the last answer; without one the cookie's counts."""

    refresh_token: Token | None = None


class AccessToken(Outgoing):
    """An access token alone. `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int


class TokenPair(Outgoing):
    """Tokens of a session. `expires_in` and `refresh_expires_in` in seconds.

    In cookie mode `refresh_token` is null and `csrf_token` goes into the header `X-CSRF-Token` of `/refresh`.
    """

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int
    refresh_token: str | None
    refresh_expires_in: int | None
    csrf_token: str | None = None
    session_id: str


class SessionRead(Outgoing):
    """One sign-in."""

    id: str
    device_name: str
    device_type: str
    browser: str
    os: str
    ip: str
    city: str | None = None
    country: str | None = None
    created_at: Moment
    last_active_at: Moment
    expires_at: Moment
    current: bool


class SessionList(Outgoing):
    """All sessions of a user."""

    items: list[SessionRead]
