"""The sent_codes collection: codes by SMS or mail that wait to be typed."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class SentCode(Document):
    """The newest code of a sign-in, a session or an enrolment; `id` says of which. `sent`: how many there were."""

    id: bytes  # type: ignore[assignment] # Beanie declares its own kind of id
    user_id: UUID
    method: Literal["sms", "email"]
    code_hash: bytes
    phone: str | None = None
    """The number to be enrolled, sealed."""
    left: int
    sent: int = 1
    expires_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "sent_codes"
        indexes: ClassVar = [
            IndexModel("user_id", name="user"),  # changed factors end the codes under way
            IndexModel("expires_at", expireAfterSeconds=0, name="expiry"),  # TTL
        ]
