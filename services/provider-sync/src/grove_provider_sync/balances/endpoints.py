"""Balance routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.query import parameters_of, query_as
from grove_provider_sync.balances.repository import BalanceQueries
from grove_provider_sync.balances.schemas import BalancesRead
from grove_provider_sync.balances.steps import BalancesQuery
from grove_provider_sync.deps import ConnectionReader, ReadsDep

router = APIRouter(prefix="/api/v1/accounts", tags=["accounts"], route_class=GroveRoute, responses=error_responses(404))


@router.get("/{account_id}/balances", openapi_extra=parameters_of(BalancesQuery))
async def get_balances(
    account_id: UUID, user: ConnectionReader, reads: ReadsDep, wanted: Annotated[BalancesQuery, query_as(BalancesQuery)]
) -> BalancesRead:
    """Read what an account held over time, as a chart needs it: days on which nothing was told have the balance of the
    day before.
    """
    return await BalanceQueries(reads, user.user_id).get(account_id, wanted)
