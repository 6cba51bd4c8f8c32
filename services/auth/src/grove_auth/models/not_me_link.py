"""The not_me_links collection: links in alert mails by which owners say that it was not them."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class NotMeLink(Document):
    """One link, by the hash of its token. `kind`: which alert bore it."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    kind: str
    created_at: datetime
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "not_me_links"
        indexes: ClassVar = [
            IndexModel([("user_id", 1), ("kind", 1), ("created_at", -1)], name="user"),  # how many were mailed lately
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
