"""The captcha_solutions collection: challenges whose solution was accepted."""

from datetime import datetime
from typing import ClassVar

from beanie import Document
from pymongo import IndexModel


class CaptchaSolution(Document):
    """By the hash of the challenge's nonce: the first insert uses it up, whatever races it."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "captcha_solutions"
        indexes: ClassVar = [IndexModel("expires_at", expireAfterSeconds=0, name="expiry")]  # TTL
