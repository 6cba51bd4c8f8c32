"""The mfa_recoveries collection: second factors that will be turned off because their device is lost."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class MfaRecovery(Document):
    """By the id of the user: one at a time. It is void when the account's `standing` changed since."""

    id: UUID  # type: ignore[assignment] # Beanie declares its own kind of id
    standing: str
    cancel_hash: bytes
    due_at: datetime

    class Settings:
        """Collection and indexes."""

        name = "mfa_recoveries"
        indexes: ClassVar = [
            IndexModel("cancel_hash", unique=True, name="cancel_hash"),  # the link that cancels
            IndexModel("due_at", name="due"),  # whose wait is over
        ]
