"""What an operator says about an issuer."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

ISSUERS = {
    "google": "https://accounts.google.com",
    "apple": "https://appleid.apple.com",
    "github": "https://github.com",
}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class ProviderSettings(BaseModel):
    """One issuer. Its secret is a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    """Its name in paths and secret files."""
    kind: Literal["oidc", "google", "github", "apple"]
    client_id: Annotated[str, Field(min_length=1)]
    issuer: str = ""
    team_id: str = ""
    key_id: str = ""

    @property
    def secret_name(self) -> str:
        """The name of its secret file."""
        return f"oauth_{self.key}_{'private_key' if self.kind == 'apple' else 'client_secret'}"

    @property
    def issuer_url(self) -> str:
        """`iss`, exactly."""
        return self.issuer or ISSUERS[self.kind]

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind == "oidc" and not self.issuer:
            raise ValueError(f"The provider {self.key!r} needs an issuer.")
        if self.kind == "apple" and not (self.team_id and self.key_id):
            raise ValueError(f"The provider {self.key!r} needs team_id and key_id.")
        if not is_safe(self.issuer_url):
            raise ValueError(f"The issuer of {self.key!r} must be an https address.")
        return self


def is_safe(url: str) -> bool:
    """Whether nobody can listen on the way: HTTPS, or this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in LOOPBACK)
