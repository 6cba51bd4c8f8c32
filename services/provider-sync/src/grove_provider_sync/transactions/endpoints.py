"""Transaction routes."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, String, bindparam, func

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.service.listing import List
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, Page, Paging
from grove.web.sorting import SortKey, parse_sort
from grove_provider_sync.accounts.repository import AccountQueries
from grove_provider_sync.deps import ConnectionReader, ReadConnection
from grove_provider_sync.models import Transaction
from grove_provider_sync.transactions.repository import READ_COLUMNS
from grove_provider_sync.transactions.schemas import TransactionRead

router = APIRouter(prefix="/api/v1", tags=["transactions"], route_class=GroveRoute, responses=error_responses(404))

_ORDERS = Keyset(
    {
        "booked_at": Sortable(Transaction.booked_at, date.fromisoformat),
        "updated_at": Sortable(Transaction.updated_at, parse_time),
        "amount": Sortable(Transaction.amount, Decimal),
    },
    tie=Transaction.id,
)
_FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": Transaction.user_id == bindparam("user_id"),
    "not_removed": Transaction.removed_at.is_(None),
    "account": Transaction.account_id == bindparam("account"),
    "date_from": Transaction.booked_at >= bindparam("date_from"),
    "date_to": Transaction.booked_at < bindparam("date_to"),
    "amount_from": Transaction.amount >= bindparam("amount_from"),
    "amount_to": Transaction.amount < bindparam("amount_to"),
    "q": Transaction.search.op("@@")(func.websearch_to_tsquery("simple", bindparam("q", type_=String))),
}
_TRANSACTIONS = List(
    columns=READ_COLUMNS,
    filters=_FILTERS,
    orders=_ORDERS,
    read=TransactionRead.of,
    page=TypeAdapter(Page[TransactionRead]),
    cursor_page=TypeAdapter(CursorPage[TransactionRead]),
)


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """What a list is narrowed to: names of _FILTERS with their values."""

    given: dict[str, Any]
    sort: tuple[SortKey, ...]


async def _filter(
    date_from: Annotated[date | None, Query(description="Booked on this day or later")] = None,
    date_to: Annotated[date | None, Query(description="Booked before this day")] = None,
    amount_from: Annotated[Decimal | None, Query(description="At least this amount; money out is negative")] = None,
    amount_to: Annotated[Decimal | None, Query(description="Less than this amount")] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=200, description="Words in the description")] = None,
    sort: Annotated[
        str, Query(max_length=100, description="booked_at, updated_at, amount; `-` for descending")
    ] = "-booked_at",
) -> TransactionFilter:
    asked = {
        "date_from": date_from,
        "date_to": date_to,
        "amount_from": amount_from,
        "amount_to": amount_to,
        "q": q,
    }
    given: dict[str, Any] = {"not_removed": None} | {n: value for n, value in asked.items() if value is not None}
    return TransactionFilter(given, tuple(parse_sort(sort, _ORDERS.names)))


Filter = Annotated[TransactionFilter, Depends(_filter)]
_PAGES = Page[TransactionRead] | CursorPage[TransactionRead]


@router.get("/transactions", response_model=_PAGES)
async def list_transactions(
    request: Request,
    user: ConnectionReader,
    connection: ReadConnection,
    wanted: Filter,
    paging: Paging,
    account: Annotated[UUID | None, Query(description="Of this account")] = None,
) -> Response:
    """Your transactions at all providers, newest first unless `sort` says otherwise."""
    given = {"user_id": user.user_id, **wanted.given}
    if account is not None:
        given["account"] = account
    return await _TRANSACTIONS.answer(request, connection, paging, given, wanted.sort)


@router.get("/accounts/{account_id}/transactions", response_model=_PAGES)
async def list_account_transactions(
    request: Request,
    account_id: UUID,
    user: ConnectionReader,
    connection: ReadConnection,
    wanted: Filter,
    paging: Paging,
) -> Response:
    """Transactions of one account."""
    await AccountQueries(connection, user.user_id).get(account_id)
    given = {"user_id": user.user_id, "account": account_id, **wanted.given}
    return await _TRANSACTIONS.answer(request, connection, paging, given, wanted.sort)
