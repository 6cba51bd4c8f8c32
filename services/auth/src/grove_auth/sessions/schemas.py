"""Sign-in and sessions as JSON."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.schema import Incoming, Moment, Outgoing
from grove.core.text import CleanLine
from grove_auth.passwords.rules import Password
from grove_auth.registrations.schemas import Email

Token = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(str.strip)]


class Login(Incoming):
    """Credentials, and what kind of session is wanted."""

    email: Email
    password: Password
    remember_me: bool = False
    refresh: bool = True
    device_name: (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), CleanLine] | None
    ) = None


class Refresh(Incoming):
    """The refresh token of the last answer."""

    refresh_token: Token


class Reauthenticate(Incoming):
    """What proves that it is you."""

    password: Password


class AccessToken(Outgoing):
    """An access token alone. `expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int


class TokenPair(Outgoing):
    """Tokens of a session. `expires_in` and `refresh_expires_in` in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int
    refresh_token: str | None
    refresh_expires_in: int | None
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
