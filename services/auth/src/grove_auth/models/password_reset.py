"""The password_resets collection: mailed links that set a new password."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class PasswordReset(Document):
    """One link, by the hash of its token. One for an unknown address belongs to nobody and is never mailed."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "password_resets"
        indexes: ClassVar = [
            IndexModel("user_id", name="user"),  # a newer link takes the place of older ones
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
