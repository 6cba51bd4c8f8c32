"""The deleted_users collection: that there was an account, and nothing about whom."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class DeletedUser(Document):
    """A closed account. `awaiting`: services that have not said yet that they erased their part."""

    id: UUID  # type: ignore[assignment] # Beanie declares its own kind of id
    deleted_at: datetime
    awaiting: list[str]
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "deleted_users"
        indexes: ClassVar = [
            IndexModel([("awaiting", 1), ("deleted_at", 1)], name="awaiting"),  # erasures that take too long
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
