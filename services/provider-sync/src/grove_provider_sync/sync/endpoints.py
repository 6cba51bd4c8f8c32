"""Sync run routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_provider_sync.connections.repository import ConnectionQueries
from grove_provider_sync.deps import ConnectionReader, ReadsDep
from grove_provider_sync.sync.listing import RUNS, RunFilter
from grove_provider_sync.sync.schemas import SyncRunRead

router = APIRouter(
    prefix="/api/v1/connections", tags=["sync runs"], route_class=GroveRoute, responses=error_responses(404)
)


@router.get(
    "/{connection_id}/sync-runs",
    response_model=Page[SyncRunRead] | CursorPage[SyncRunRead],
    openapi_extra=parameters_of(RunFilter),
)
async def list_sync_runs(
    request: Request,
    connection_id: UUID,
    user: ConnectionReader,
    reads: ReadsDep,
    wanted: Annotated[RunFilter, query_as(RunFilter)],
) -> Response:
    """List the runs of a connection, newest first."""
    await ConnectionQueries(reads, user.user_id).get(connection_id)
    given = {"user_id": user.user_id, "connection_id": connection_id, **wanted.given}
    return await RUNS.answer(request, reads, wanted, given)
