"""The known_places collection: from where, and with what, an account usually signs in."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pydantic import BaseModel
from pymongo import IndexModel


class Seen(BaseModel):
    """A device or a place, as a hash, and when it was last used."""

    key: bytes
    seen_at: datetime


class KnownPlaces(Document):
    """An account's devices and places, by the account's id; newest first, not more than a few of each."""

    id: UUID  # type: ignore[assignment] # Beanie declares its own kind of id
    devices: list[Seen]
    places: list[Seen]
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "known_places"
        indexes: ClassVar = [IndexModel("expires_at", expireAfterSeconds=0, name="expiry")]  # TTL
