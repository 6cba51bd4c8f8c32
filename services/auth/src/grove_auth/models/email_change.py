"""The collections of mailed links that change an address, and that take such a change back."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class EmailChange(Document):
    """A link that confirms another address, by the hash of its token. One to a taken address is never mailed.

    It dies with the token version under which it was asked for.
    """

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    email: str
    token_version: int
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "email_changes"
        indexes: ClassVar = [
            IndexModel("user_id", name="user"),  # a newer link takes the place of older ones
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]


class EmailUndo(Document):
    """A link, mailed to the address that was replaced, which makes it the account's again. By its token's hash."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    email: str
    changed_at: datetime
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "email_undos"
        indexes: ClassVar = [
            IndexModel([("user_id", 1), ("changed_at", 1)], name="user"),  # an account's changes, oldest first
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
