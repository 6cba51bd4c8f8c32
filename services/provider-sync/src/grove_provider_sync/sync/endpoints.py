"""Sync run routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import bindparam

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.service.listing import List
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, ListQuery, Page
from grove.web.query import parameters_of, query_as
from grove_provider_sync.connections.repository import ConnectionQueries
from grove_provider_sync.deps import ConnectionReader, ReadsDep
from grove_provider_sync.models import SyncRun
from grove_provider_sync.sync.repository import RUN_JSON
from grove_provider_sync.sync.schemas import SyncRunRead

router = APIRouter(
    prefix="/api/v1/connections", tags=["sync runs"], route_class=GroveRoute, responses=error_responses(404)
)

_RUNS = List(
    item=RUN_JSON,
    filters={
        "user_id": SyncRun.user_id == bindparam("user_id"),
        "connection_id": SyncRun.connection_id == bindparam("connection_id"),
    },
    orders=Keyset({"created_at": Sortable(SyncRun.created_at, parse_time)}, tie=SyncRun.id),
)


@router.get(
    "/{connection_id}/sync-runs",
    response_model=Page[SyncRunRead] | CursorPage[SyncRunRead],
    openapi_extra=parameters_of(ListQuery),
)
async def list_sync_runs(
    request: Request,
    connection_id: UUID,
    user: ConnectionReader,
    reads: ReadsDep,
    query: Annotated[ListQuery, query_as(ListQuery)],
) -> Response:
    """Runs of a connection, newest first."""
    await ConnectionQueries(reads, user.user_id).get(connection_id)
    given = {"user_id": user.user_id, "connection_id": connection_id}
    return await _RUNS.answer(request, reads, query, given)
