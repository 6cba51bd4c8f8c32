"""Transaction routes."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, func

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
_TRANSACTIONS = List(
    columns=READ_COLUMNS,
    orders=_ORDERS,
    read=TransactionRead.of,
    page=TypeAdapter(Page[TransactionRead]),
    cursor_page=TypeAdapter(CursorPage[TransactionRead]),
)


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """What a list is narrowed to."""

    conditions: tuple[ColumnElement[bool], ...]
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
    conditions: list[ColumnElement[bool]] = [Transaction.removed_at.is_(None)]
    if date_from is not None:
        conditions.append(Transaction.booked_at >= date_from)
    if date_to is not None:
        conditions.append(Transaction.booked_at < date_to)
    if amount_from is not None:
        conditions.append(Transaction.amount >= amount_from)
    if amount_to is not None:
        conditions.append(Transaction.amount < amount_to)
    if q is not None:
        conditions.append(Transaction.search.op("@@")(func.websearch_to_tsquery("simple", q)))
    return TransactionFilter(tuple(conditions), tuple(parse_sort(sort, _ORDERS.names)))


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
    conditions = [Transaction.user_id == user.user_id, *wanted.conditions]
    if account is not None:
        conditions.append(Transaction.account_id == account)
    return await _TRANSACTIONS.answer(request, connection, paging, conditions, wanted.sort)


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
    conditions = [
        Transaction.user_id == user.user_id,
        Transaction.account_id == account_id,
        *wanted.conditions,
    ]
    return await _TRANSACTIONS.answer(request, connection, paging, conditions, wanted.sort)
