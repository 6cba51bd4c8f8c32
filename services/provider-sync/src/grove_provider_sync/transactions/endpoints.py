"""Transaction routes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from grove.service.listing import List
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_provider_sync.accounts.repository import AccountQueries
from grove_provider_sync.deps import ConnectionReader, ReadsDep
from grove_provider_sync.transactions.listing import FILTERS, ORDERS, AllTransactionsFilter, TransactionFilter
from grove_provider_sync.transactions.repository import TRANSACTION_JSON
from grove_provider_sync.transactions.schemas import TransactionRead

router = APIRouter(prefix="/api/v1", tags=["transactions"], route_class=GroveRoute, responses=error_responses(404))

_TRANSACTIONS = List(item=TRANSACTION_JSON, filters=FILTERS, orders=ORDERS)
Wanted = Annotated[TransactionFilter, query_as(TransactionFilter)]
WantedOfAll = Annotated[AllTransactionsFilter, query_as(AllTransactionsFilter)]
_PAGES = Page[TransactionRead] | CursorPage[TransactionRead]


@router.get("/transactions", response_model=_PAGES, openapi_extra=parameters_of(AllTransactionsFilter))
async def list_transactions(
    request: Request,
    user: ConnectionReader,
    reads: ReadsDep,
    wanted: WantedOfAll,
) -> Response:
    """Your transactions at all providers, newest first unless `sort` says otherwise."""
    return await _TRANSACTIONS.answer(request, reads, wanted, {"user_id": user.user_id, **wanted.given})


@router.get(
    "/accounts/{account_id}/transactions", response_model=_PAGES, openapi_extra=parameters_of(TransactionFilter)
)
async def list_account_transactions(
    request: Request,
    account_id: UUID,
    user: ConnectionReader,
    reads: ReadsDep,
    wanted: Wanted,
) -> Response:
    """Transactions of one account."""
    await AccountQueries(reads, user.user_id).get(account_id)
    given = {"user_id": user.user_id, "account": account_id, **wanted.given}
    return await _TRANSACTIONS.answer(request, reads, wanted, given)
