"""The api_keys collection."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from grove.core.ids import new_id


class ApiKey(Document):
    """One key. It is dead when its user's token version or the global one has risen above the key's.

    After a rotation the secret before works until `old_until`.
    """

    id: UUID = Field(default_factory=new_id)  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    name: str
    hint: str
    """The first characters of the secret."""
    scopes: list[str]
    secret_id: str = Field(default_factory=lambda: str(new_id()))
    """Names the secret in the revocation feed."""
    secret_hash: bytes
    old_secret_id: str | None = None
    old_secret_hash: bytes | None = None
    old_until: datetime | None = None
    version: int
    global_version: int
    created_at: datetime
    rotated_at: datetime | None = None
    last_used_at: datetime | None = None
    """Kept coarsely: a key that is always in use writes once in five minutes."""
    expires_at: datetime | None = None

    class Settings:
        """Collection and indexes."""

        name = "api_keys"
        indexes: ClassVar = [
            IndexModel("secret_hash", unique=True, name="secret_hash"),  # a request that bears the key
            IndexModel("old_secret_hash", sparse=True, name="old_secret_hash"),  # the same while a rotation overlaps
            IndexModel([("user_id", 1), ("created_at", -1)], name="user"),  # GET /api-keys
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL; keys without an end stay
        ]
