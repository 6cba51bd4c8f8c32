"""The revocations collection: the numbered feed."""

from datetime import datetime
from typing import ClassVar, Literal

from beanie import Document
from pymongo import IndexModel

Kind = Literal["session", "user", "api_key", "global", "signing_key"]


class RevocationEntry(Document):
    """One revocation. Its id is its number in the feed, taken under the counter's lock: numbers commit in order."""

    id: int  # type: ignore[assignment] # Beanie declares its own kind of id
    kind: Kind
    key: str
    minimum: int = 0
    until: datetime

    class Settings:
        """Collection and indexes."""

        name = "revocations"
        indexes: ClassVar = [IndexModel("until", expireAfterSeconds=0, name="expiry")]  # TTL
