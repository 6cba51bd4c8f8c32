"""Sync runs as JSON."""

from uuid import UUID

from grove.core.schema import Moment, Outgoing


class SyncRunRead(Outgoing):
    """What one run fetched, how long it took, why it failed."""

    id: UUID
    connection_id: UUID
    trigger: str
    status: str
    started_at: Moment | None
    finished_at: Moment | None
    added: int
    changed: int
    removed: int
    error: str | None
