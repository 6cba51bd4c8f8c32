"""Transaction routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from grove.service.listing import List
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove_provider_sync.accounts.repository import AccountQueries
from grove_provider_sync.deps import ConnectionReader, ReadsDep
from grove_provider_sync.transactions.listing import FILTERS, ORDERS, AllTransactionsFilter, TransactionFilter
from grove_provider_sync.transactions.repository import TRANSACTION_JSON
from grove_provider_sync.transactions.schemas import TransactionRead

router = APIRouter(prefix="/api/v1", tags=["transactions"], route_class=GroveRoute, responses=error_responses(404))

_TRANSACTIONS = List(item=TRANSACTION_JSON, filters=FILTERS, orders=ORDERS)
_PAGES = Page[TransactionRead] | CursorPage[TransactionRead]


@router.get("/transactions", response_model=_PAGES)
async def list_transactions(
    request: Request, user: ConnectionReader, reads: ReadsDep, wanted: Annotated[AllTransactionsFilter, Query()]
) -> Response:
    """Your transactions at all providers, newest first unless `sort` says otherwise."""
    return await _TRANSACTIONS.answer(request, reads, wanted, {"user_id": user.user_id, **wanted.given})


@router.get("/accounts/{account_id}/transactions", response_model=_PAGES)
async def list_account_transactions(
    request: Request,
    account_id: UUID,
    user: ConnectionReader,
    reads: ReadsDep,
    wanted: Annotated[TransactionFilter, Query()],
) -> Response:
    """Transactions of one account."""
    await AccountQueries(reads, user.user_id).get(account_id)
    given = {"user_id": user.user_id, "account": account_id, **wanted.given}
    return await _TRANSACTIONS.answer(request, reads, wanted, given)
