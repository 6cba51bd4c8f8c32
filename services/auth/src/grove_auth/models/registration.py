"""The registrations collection: accounts to be, until their mailed link is opened."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from grove.core.ids import new_id


class Registration(Document):
    """A pending registration. Password and token belong together, so nobody can prepare somebody else's account."""

    id: UUID = Field(default_factory=new_id)  # type: ignore[assignment] # Beanie declares its own kind of id
    email: str
    name: str
    password_hash: str
    locale: str
    timezone: str
    token_hash: bytes
    created_at: datetime
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "registrations"
        indexes: ClassVar = [
            IndexModel("token_hash", unique=True, name="token_hash"),  # verify-email
            IndexModel([("email", 1), ("created_at", -1)], name="email"),  # resend, login before verification
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
