"""The identities collection: accounts at outside issuers that open an account here."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from grove.core.ids import new_id


class Identity(Document):
    """Somebody at an issuer, known by issuer and subject.

    `email` is what the issuer said when it was linked: for its owner to recognise it by, never to find anybody by.
    """

    id: UUID = Field(default_factory=new_id)  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    provider: str
    issuer: str
    subject: str
    email: str
    created_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "identities"
        indexes: ClassVar = [
            IndexModel([("issuer", 1), ("subject", 1)], unique=True, name="subject"),  # sign-in; one account for each
            IndexModel([("user_id", 1), ("provider", 1)], unique=True, name="user"),  # a user's, one of each provider
        ]
