"""Sync runs as JSON."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from grove.core.schema import Moment, Outgoing

Trigger = Literal["initial", "user", "scheduled", "webhook"]
RunStatus = Literal["queued", "running", "completed", "failed"]


class SyncRunRead(Outgoing):
    """What one run fetched, how long it took, why it failed.

    It waits from `created_at` to `started_at`, and works until `finished_at`. `restarts`: how often the provider's data
    changed while it was read, so that its pages were read again from the first.
    """

    id: UUID
    connection_id: UUID
    trigger: Annotated[Trigger, Field(description="webhook: the provider told of news", examples=["scheduled"])]
    status: RunStatus
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    added: Annotated[int, Field(description="Transactions that are new", examples=[12])]
    changed: int
    removed: int
    pages: int
    restarts: Annotated[int, Field(examples=[0])]
    error: Annotated[str | None, Field(description="For people", examples=["The provider did not answer in time."])]
    error_code: Annotated[str | None, Field(description="For programs; null unless it failed", examples=["timeout"])]
