"""Sync runs as JSON."""

from typing import Any
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

    @classmethod
    def of(cls, row: Any) -> "SyncRunRead":
        """From a row of ours."""
        return cls.model_validate(row)
