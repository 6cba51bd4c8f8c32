"""Account routes."""

from uuid import UUID

from fastapi import APIRouter

from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove_provider_sync.accounts.repository import AccountQueries
from grove_provider_sync.accounts.schemas import AccountList, AccountRead
from grove_provider_sync.deps import ConnectionReader, ReadsDep

router = APIRouter(prefix="/api/v1/accounts", tags=["accounts"], route_class=GroveRoute, responses=error_responses(404))


@router.get("")
async def list_accounts(user: ConnectionReader, reads: ReadsDep) -> AccountList:
    """Your accounts at all providers."""
    rows = await AccountQueries(reads, user.user_id).all()
    return AccountList(items=[AccountRead.model_validate(row) for row in rows])


@router.get("/{account_id}")
async def get_account(account_id: UUID, user: ConnectionReader, reads: ReadsDep) -> AccountRead:
    """Read one account."""
    return AccountRead.model_validate(await AccountQueries(reads, user.user_id).get(account_id))
