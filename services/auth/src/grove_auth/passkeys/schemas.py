"""Passkeys as JSON. Credentials are as browsers write them (`PublicKeyCredential.toJSON()`)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from grove.core.schema import Incoming, Moment, Outgoing
from grove.core.text import CleanLine
from grove_auth.sessions.schemas import SessionOptions, Token

_TEXT = r"^[A-Za-z0-9_-]+$"
CredentialId = Annotated[str, StringConstraints(pattern=_TEXT, max_length=1364)]
Short = Annotated[str, StringConstraints(pattern=_TEXT, max_length=4096)]
Long = Annotated[str, StringConstraints(pattern=_TEXT, max_length=32768)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), CleanLine]


class _FromBrowser(BaseModel):
    """Browsers add fields as WebAuthn grows: what is not known here is passed over."""

    model_config = ConfigDict(extra="ignore")


class _Credential(_FromBrowser):
    id: CredentialId
    raw_id: CredentialId = Field(alias="rawId")
    type: Literal["public-key"]


class AttestationResponse(_FromBrowser):
    """What a device says of a credential that it made. Base64url."""

    client_data_json: Short = Field(alias="clientDataJSON")
    attestation_object: Long = Field(alias="attestationObject")
    transports: list[Annotated[str, Field(max_length=32)]] = Field([], max_length=16)


class NewCredential(_Credential):
    """The answer of `navigator.credentials.create()`."""

    response: AttestationResponse


class AssertionResponse(_FromBrowser):
    """What a device signed. Base64url."""

    client_data_json: Short = Field(alias="clientDataJSON")
    authenticator_data: Short = Field(alias="authenticatorData")
    signature: Short
    user_handle: Short | None = Field(None, alias="userHandle")


class Assertion(_Credential):
    """The answer of `navigator.credentials.get()`."""

    response: AssertionResponse


class PasskeyOptions(Outgoing):
    """What to hand to the browser, within `expires_in` seconds; send `challenge_id` back with its answer."""

    challenge_id: str
    expires_in: int
    public_key: dict[str, Any] = Field(
        description="For `PublicKeyCredential.parseCreationOptionsFromJSON()` or `.parseRequestOptionsFromJSON()`"
    )


class AddPasskey(Incoming):
    """A credential that a device made. Without a name it is called after the browser."""

    challenge_id: Token
    credential: NewCredential
    name: Name | None = None


class PasskeyProof(Incoming):
    """A passkey's answer to a challenge."""

    challenge_id: Token
    credential: Assertion


class PasskeyLogin(SessionOptions):
    """A passkey's answer to a challenge, and what kind of session is wanted."""

    challenge_id: Token
    credential: Assertion


class PasskeyRead(Outgoing):
    """A registered passkey. `synced`: its user has it on other devices too, or in a backup."""

    id: UUID
    name: str
    synced: bool
    created_at: Moment
    last_used_at: Moment | None


class PasskeyList(Outgoing):
    """All passkeys of a user."""

    items: list[PasskeyRead]
