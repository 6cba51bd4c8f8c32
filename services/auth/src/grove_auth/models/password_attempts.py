"""The password_attempts collection: tries of a password since the last right one."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class PasswordAttempts(Document):
    """By the hash of the address: unknown addresses have them too. A trusted device has one of its own.

    `left`: tries until the next pause; `locks`: pauses so far; `tried_at`: when the last try was;
    `user_id`: whose device it is.
    """

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    left: int
    locks: int = 0
    locked_until: datetime
    tried_at: datetime
    expires_at: datetime
    user_id: UUID | None = None

    class Settings:
        """Collection and indexes."""

        name = "password_attempts"
        indexes: ClassVar = [
            IndexModel("user_id", sparse=True, name="user"),  # the counters of a user's devices, at a reset
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
