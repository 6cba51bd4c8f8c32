"""The mfa_challenges collection: sign-ins that wait for their second factor."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class MfaChallenge(Document):
    """One `mfa_token`, by its hash. `standing`: the account's when the first factor was proven (models/user.py)."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    standing: str
    options: dict[str, Any]
    """The SessionOptions of the sign-in."""
    amr: list[str]
    left: int
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "mfa_challenges"
        indexes: ClassVar = [
            IndexModel("user_id", name="user"),  # changed factors end the sign-ins that wait
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
