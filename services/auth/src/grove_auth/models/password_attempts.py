"""The password_attempts collection: tries of a password since the last right one, by address."""

from datetime import datetime
from typing import ClassVar

from beanie import Document
from pymongo import IndexModel


class PasswordAttempts(Document):
    """By the hash of the address: unknown addresses have them too.

    `left`: tries until the next pause; `locks`: pauses so far; `tried_at`: when the last try was granted.
    """

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    left: int
    locks: int = 0
    locked_until: datetime
    tried_at: datetime
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "password_attempts"
        indexes: ClassVar = [IndexModel("expires_at", expireAfterSeconds=0, name="expiry")]  # TTL
