"""The audit_events collection: written once, never changed."""

from typing import Any, ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class AuditEvent(Document):
    """One entry (grove/security/audit.py). Its ids are pseudonymous: erasing a person leaves the log whole."""

    id: UUID  # type: ignore[assignment] # Beanie declares its own kind of id
    action: str
    subject_id: str | None = None
    entry: dict[str, Any]

    class Settings:
        """Collection and indexes."""

        name = "audit_events"
        indexes: ClassVar = [
            IndexModel([("subject_id", 1), ("_id", -1)], name="subject"),  # an account's own history
            IndexModel([("action", 1), ("_id", -1)], name="action"),  # the search of administrators
        ]
