"""Sign-in through providers as JSON, and as addresses."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from grove.core.schema import Incoming, Outgoing
from grove_auth.sessions.schemas import SessionOptions, Token

RedirectUri = Annotated[
    str,
    Field(max_length=2000, description="Where the browser goes in the end; compared exactly with a list of settings"),
]


class Authorize(SessionOptions):
    """Where to go in the end, and what kind of session is wanted."""

    redirect_uri: RedirectUri
    code_challenge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")] | None = Field(
        None, description="S256 of a secret of the app (RFC 7636); `/oauth/exchange` then needs the secret"
    )


class Destination(Incoming):
    """Where to go in the end."""

    redirect_uri: RedirectUri


class AuthorizationUrl(Outgoing):
    """Where the user's browser goes now."""

    authorization_url: str


class ProviderAnswer(BaseModel):
    """What comes back with the browser. Providers add parameters of their own."""

    model_config = ConfigDict(extra="ignore")

    state: Annotated[str, Field(max_length=200)]
    code: Annotated[str, Field(max_length=4000)] | None = None
    error: Annotated[str, Field(max_length=200)] | None = None
    iss: Annotated[str, Field(max_length=500)] | None = None


class ProviderForm(ProviderAnswer):
    """The same as a form. `user`: Apple's word for who it is, at the first time."""

    user: Annotated[str, Field(max_length=4000)] | None = None


class Exchange(Incoming):
    """The code that came with the browser."""

    code: Token
    code_verifier: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$")] | None = Field(
        None, description="The secret behind `code_challenge`, if one was given"
    )
