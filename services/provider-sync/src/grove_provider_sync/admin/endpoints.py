"""Routes for operators: how providers and connections stand, and the end of all access."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from grove.security.principal import Principal
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_provider_sync.admin.listing import CONNECTIONS, AdminConnectionQuery
from grove_provider_sync.admin.overview import overview
from grove_provider_sync.admin.schemas import AdminConnectionRead, AdminProviderList, Revocation, Revoked
from grove_provider_sync.admin.service import RevocationService
from grove_provider_sync.deps import ReadsDep, ResourcesDep, WriteSession

router = APIRouter(
    prefix="/api/v1/admin/provider-sync",
    tags=["administration"],
    route_class=GroveRoute,
    responses=error_responses(),
)

Operator = Annotated[Principal, require("providers:revoke")]
SteppedUpOperator = Annotated[Principal, require("providers:revoke", step_up=True)]


async def _service(user: SteppedUpOperator, resources: ResourcesDep, session: WriteSession) -> RevocationService:
    return RevocationService(resources, session, user.user_id)


Revocations = Annotated[RevocationService, Depends(_service)]


@router.get("/providers")
async def list_provider_standings(_: Operator, resources: ResourcesDep) -> AdminProviderList:
    """List the providers, with how their connections stand and what waits for them."""
    return AdminProviderList(items=await overview(resources))


@router.get(
    "/connections",
    response_model=Page[AdminConnectionRead] | CursorPage[AdminConnectionRead],
    openapi_extra=parameters_of(AdminConnectionQuery),
)
async def search_connections(
    request: Request,
    _: Operator,
    reads: ReadsDep,
    wanted: Annotated[AdminConnectionQuery, query_as(AdminConnectionQuery)],
) -> Response:
    """Search all connections, newest first."""
    return await CONNECTIONS.answer(request, reads, wanted, wanted.given)


@router.post("/providers/{key}/revoke-all", status_code=202, responses=error_responses(404))
async def revoke_all(key: str, data: Revocation, revocations: Revocations) -> Revoked:
    """End all access to a provider, for use after a breach. Sign in at most 5 minutes before.

    From the answer on no token that there was is used any more, also none that is being granted. Each is given back to
    the provider, and its user is asked to reconnect.
    """
    return Revoked(connections=await revocations.revoke_all(key, data.reason))


@router.post("/connections/{connection_id}/revoke", status_code=204, responses=error_responses(404))
async def revoke_connection(connection_id: UUID, data: Revocation, revocations: Revocations) -> None:
    """End one connection's access: its tokens are given back, and its user is asked to reconnect. Sign in at most 5
    minutes before. For a connection without access nothing changes.
    """
    await revocations.revoke(connection_id, data.reason)
