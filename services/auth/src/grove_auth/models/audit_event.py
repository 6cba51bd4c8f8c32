"""The audit_events collection: written once, never changed."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from beanie import Document
from pymongo import IndexModel


class AuditEvent(Document):
    """One entry (grove/security/audit.py). Its ids are pseudonymous: erasing a person leaves the log whole.

    Beside `entry`, which is what is chained, are copies to search by. No value is a date, so that no TTL index can
    make entries disappear.
    """

    id: UUID  # type: ignore[assignment] # Beanie declares its own kind of id
    action: str
    outcome: str
    actor_id: str | None = None
    subject_id: str | None = None
    request_id: str | None = None
    concerns: list[str] = []
    """Whose history it belongs to: done by them, or to them."""
    entry: dict[str, Any]

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "AuditEvent":
        """From the entry's JSON."""
        return cls(id=UUID(entry["id"]), **copies(entry), entry=entry)

    class Settings:
        """Collection and indexes."""

        name = "audit_events"
        indexes: ClassVar = [
            # an account's own history; the search by actor and subject, which are both in it
            IndexModel([("concerns", 1), ("_id", -1)], name="concerns"),
            # the search by other things
            IndexModel([("action", 1), ("_id", -1)], name="action"),
            IndexModel([("outcome", 1), ("_id", -1)], name="outcome"),
            IndexModel("request_id", name="request"),
        ]


def copies(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What is searched by, as the entry says it."""
    concerned = {entry[name] for name in ("actor_id", "subject_id") if entry[name] is not None}
    copied = {name: entry[name] for name in ("action", "outcome", "actor_id", "subject_id", "request_id")}
    return copied | {"concerns": sorted(concerned)}
