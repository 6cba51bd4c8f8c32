"""Identifiers: UUIDv7 (RFC 9562 section 5.7), which sort by the time they were made."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

_LAST_SECOND = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def new_id() -> UUID:
    """A new UUIDv7, rising within a process."""
    return uuid7()


def made_at(made: UUID) -> datetime:
    """When a UUIDv7 was made, to the millisecond; for what is none, some moment."""
    return datetime.fromtimestamp(min((made.int >> 80) / 1000, _LAST_SECOND), UTC)


def earliest_at(moment: datetime) -> UUID:
    """Below every UUIDv7 that is made from this moment's millisecond on, and above all made before."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
