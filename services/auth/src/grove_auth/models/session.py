"""The sessions collection, and the refresh tokens that were used up."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from beanie import Document
from pydantic import Field
from pymongo import IndexModel

from grove.core.ids import new_id


class Session(Document):
    """One sign-in. It exists while it is valid: ending it deletes it, expiry is by TTL."""

    id: str = Field(default_factory=lambda: str(new_id()))  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    refresh_hash: bytes
    parent_hash: bytes | None = None
    replay: bytes | None = None
    replays: int = 0
    rotated_at: datetime | None = None
    csrf_hash: bytes | None = None
    """Cookie mode: the hash of the token that must come with the cookie."""
    amr: list[str] = ["pwd"]
    """How its user proved who they are (RFC 8176)."""
    global_version: int = 0
    """The global token version when it started: below the present one it is dead."""
    device_name: str
    device_type: Literal["browser", "mobile", "api_client"]
    browser: str
    os: str
    ip: str
    city: str | None = None
    country: str | None = None
    auth_time: datetime
    created_at: datetime
    last_active_at: datetime
    ends_at: datetime
    expires_at: datetime

    @property
    def device(self) -> dict[str, str]:
        """What a mail tells of its device."""
        return {"device": self.device_name, "browser": self.browser, "os": self.os}

    class Settings:
        """Collection and indexes."""

        name = "sessions"
        indexes: ClassVar = [
            IndexModel("refresh_hash", unique=True, name="refresh_hash"),  # refresh
            IndexModel("parent_hash", sparse=True, name="parent_hash"),  # refresh within the grace window
            IndexModel([("user_id", 1), ("created_at", -1)], name="user"),  # a user's sessions
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]


class SpentToken(Document):
    """The hash of a refresh token that was rotated, so that its later use is known for what it is."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    session_id: str
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "spent_tokens"
        indexes: ClassVar = [IndexModel("expires_at", expireAfterSeconds=0, name="expiry")]  # TTL
