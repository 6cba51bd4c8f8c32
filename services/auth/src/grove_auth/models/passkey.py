"""The passkeys collection, and the challenges that wait for an answer."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from grove.core.ids import new_id

Purpose = Literal["register", "sign_in", "reauthenticate"]


class Passkey(Document):
    """A WebAuthn credential. `sign_count`: the highest counter it has shown; 0 when it has none."""

    id: UUID = Field(default_factory=new_id)  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str] = []
    device_bound: bool
    """False: its private key can be on several devices."""
    backed_up: bool
    name: str
    created_at: datetime
    last_used_at: datetime | None = None

    class Settings:
        """Collection and indexes."""

        name = "passkeys"
        indexes: ClassVar = [
            IndexModel("credential_id", unique=True, name="credential_id"),  # sign-in; a credential has one owner
            IndexModel([("user_id", 1), ("created_at", -1)], name="user"),  # a user's passkeys
        ]


class PasskeyChallenge(Document):
    """What a passkey has to sign, by the hash of the id that its asker got. Answered at most once."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    challenge: bytes
    purpose: Purpose
    user_id: UUID | None
    """None at sign-in: who it is shows in the answer."""
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "passkey_challenges"
        indexes: ClassVar = [
            IndexModel("user_id", name="user"),  # what goes with an account
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
