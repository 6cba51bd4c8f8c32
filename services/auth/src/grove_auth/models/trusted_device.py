"""The trusted_devices collection: browsers that proved a second factor and may skip it for a time."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from grove.core.ids import new_id


class TrustedDevice(Document):
    """One browser. It counts while the account's `standing` is what it was when it was trusted."""

    id: UUID = Field(default_factory=new_id)  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    token_hash: bytes
    standing: str
    name: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "trusted_devices"
        indexes: ClassVar = [
            IndexModel("token_hash", unique=True, name="token_hash"),  # sign-in
            IndexModel([("user_id", 1), ("created_at", -1)], name="user"),  # GET /devices
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
