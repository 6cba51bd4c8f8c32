"""The list of a connection's runs: its filters and order."""

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam

from grove.postgres.json_rows import JsonRow
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.service.listing import List
from grove.web.pagination import ListQuery
from grove_provider_sync.models import SyncRun
from grove_provider_sync.sync.schemas import RunStatus, SyncRunRead

RUN_JSON = JsonRow(
    SyncRun,
    SyncRunRead,
    {
        "id": SyncRun.id,
        "connection_id": SyncRun.connection_id,
        "trigger": SyncRun.trigger,
        "status": SyncRun.status,
        "created_at": SyncRun.created_at,
        "started_at": SyncRun.started_at,
        "finished_at": SyncRun.finished_at,
        "added": SyncRun.added,
        "changed": SyncRun.changed,
        "removed": SyncRun.removed,
        "pages": SyncRun.pages,
        "restarts": SyncRun.restarts,
        "error": SyncRun.error,
        "error_code": SyncRun.error_code,
    },
)
ORDERS = Keyset({"created_at": Sortable(SyncRun.created_at, parse_time)}, tie=SyncRun.id)
FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": SyncRun.user_id == bindparam("user_id"),
    "connection_id": SyncRun.connection_id == bindparam("connection_id"),
    "status": SyncRun.status == bindparam("status"),
}
RUNS = List(item=RUN_JSON, filters=FILTERS, orders=ORDERS)


class RunFilter(ListQuery):
    """What a list of runs can be asked for."""

    status: Annotated[RunStatus | None, Field(description="Only these")] = None

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        return {} if self.status is None else {"status": self.status}
