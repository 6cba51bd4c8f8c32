"""What every issuer does for us."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Claims:
    """What an issuer says about somebody. `email` only counts when it is verified."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str = ""
    locale: str = ""
    timezone: str = ""
    auth_time: datetime | None = None
    """When they proved there who they are, if it says so."""


@dataclass(frozen=True, slots=True)
class Question:
    """What goes with a browser to the issuer, and must come back fitting."""

    state: str
    nonce: str
    challenge: str
    redirect_uri: str
    fresh: bool = False
    """Ask for the credentials even of who is signed in there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with the browser, with what must fit it."""

    code: str
    verifier: str
    nonce: str
    redirect_uri: str


class ProviderMisbehaved(Exception):
    """The issuer's answer is not acceptable. `reason` is a word for the audit log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Provider(Protocol):
    """An issuer. Calls raise UpstreamError, UpstreamTimeout or ServiceUnavailable when it fails."""

    key: str
    can_reauthenticate: bool
    """Whether it says when somebody proved who they are."""

    async def authorization_url(self, question: Question) -> str:
        """Where the browser goes. Raises ProviderMisbehaved."""
        ...

    async def check_issuer(self, issuer: str | None) -> None:
        """Look at the `iss` that came back with the browser (RFC 9207). Raises ProviderMisbehaved."""
        ...

    async def claims(self, answer: Answer) -> Claims:
        """Who it is, for a code. Raises ProviderMisbehaved."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
