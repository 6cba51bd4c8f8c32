"""The transaction lists: their filters and orders.

A list begins at the rows of its user, or of the account where one is named, in the order of `booked_at`
(ix_transactions_user_booked, ix_transactions_account_booked), and a range of days is a range of that index. The other
filters look at those rows one by one, and the other orders sort them: they are one person's, and an index of what
everybody has (a currency, a word) would be read for all (docs/adr/0018).
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from sqlalchemy import ColumnElement, String, Uuid, bindparam, func, select

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.service.listing import List
from grove.web.pagination import ListQuery
from grove_provider_sync.accounts.parameters import Amount, Day
from grove_provider_sync.connections.visibility import seen
from grove_provider_sync.models import Account, Transaction
from grove_provider_sync.transactions.repository import TRANSACTION_JSON
from grove_provider_sync.transactions.schemas import Status

_USER: ColumnElement[UUID] = bindparam("user_id", type_=Uuid)
ORDERS = Keyset(
    {
        "booked_at": Sortable(Transaction.booked_at, date.fromisoformat),
        "updated_at": Sortable(Transaction.updated_at, parse_time),
        "amount": Sortable(Transaction.amount, Decimal),
    },
    tie=Transaction.id,
)
_ACCOUNT = select(Account.id).where(Account.id == bindparam("account"), Account.user_id == _USER)
FILTERS: dict[str, ColumnElement[bool]] = {
    "mine": Transaction.user_id == _USER,
    "account": Transaction.account_id == _ACCOUNT.scalar_subquery(),
    "seen": seen(Transaction.connection_id, _USER),
    "not_removed": Transaction.removed_at.is_(None),
    "connection": Transaction.connection_id == bindparam("connection"),
    "date_from": Transaction.booked_at >= bindparam("date_from"),
    "date_to": Transaction.booked_at < bindparam("date_to"),
    "amount_from": Transaction.amount >= bindparam("amount_from"),
    "amount_to": Transaction.amount < bindparam("amount_to"),
    "currency": Transaction.currency == bindparam("currency"),
    "status": Transaction.status == bindparam("status"),
    "category": Transaction.category == bindparam("category"),
    "q": Transaction.search.op("@@")(func.websearch_to_tsquery("simple", bindparam("q", type_=String))),
}
TRANSACTIONS = List(item=TRANSACTION_JSON, filters=FILTERS, orders=ORDERS)

_SORT = "booked_at, updated_at, amount; `-` for descending"


class Criteria(BaseModel):
    """Which transactions are wanted. What is removed at the provider never is."""

    date_from: Annotated[Day | None, Field(description="Booked on this day or later")] = None
    date_to: Annotated[Day | None, Field(description="Booked before this day")] = None
    amount_from: Annotated[Amount | None, Field(description="At least this amount; money out is negative")] = None
    amount_to: Annotated[Amount | None, Field(description="Less than this amount")] = None
    currency: Annotated[str | None, Field(pattern=r"^[A-Z]{3}$", description="In this currency (ISO 4217)")] = None
    status: Annotated[Status | None, Field(description="Only these")] = None
    category: Annotated[str | None, Field(min_length=1, max_length=100, description="Of this category")] = None
    q: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description='Words in the description; `"several words"` in a row, `or`, `-without`',
        ),
    ] = None

    @field_validator("date_to", "amount_to")
    @classmethod
    def _behind_its_start(cls, end: Any, others: ValidationInfo) -> Any:
        start = others.data.get(f"{(others.field_name or '').removesuffix('to')}from")
        if end is not None and start is not None and end <= start:
            raise ValueError("ends the range, and belongs to it no more: it must be greater than where it begins")
        return end

    def of(self, user_id: UUID, account_id: UUID | None = None) -> dict[str, Any]:
        """The names of FILTERS that apply to what a user asks for, with their values.

        An account is looked up as the user's, and its rows are then its owner's: with a condition for the user beside
        it, a planner takes the two for independent, expects next to nothing, and sorts the whole account for each page.
        """
        values = {name: getattr(self, name) for name in FILTERS if name in type(self).model_fields}
        given = {name: value for name, value in values.items() if value is not None}
        if account_id is not None:
            given["account"] = account_id
        scope = {} if "account" in given else {"mine": None}
        return {"user_id": user_id, **scope, "seen": None, "not_removed": None, **given}


class AnyCriteria(Criteria):
    """With where it is from, where the path does not name it."""

    account: Annotated[UUID | None, Field(description="Of this account")] = None
    connection: Annotated[UUID | None, Field(description="Of this connection")] = None


class TransactionFilter(ListQuery, Criteria):
    """What the list of an account's transactions can be asked for."""

    sort: Annotated[str, Field(max_length=100, description=_SORT)] = "-booked_at"


class AllTransactionsFilter(ListQuery, AnyCriteria):
    """What the list of all transactions can be asked for."""

    sort: Annotated[str, Field(max_length=100, description=_SORT)] = "-booked_at"


class ExportFilter(AnyCriteria):
    """What an export can be asked for: all that the list can, in one file."""

    format: Annotated[Literal["csv", "json"], Field(description="csv: RFC 4180 with a header, in UTF-8")] = "csv"
    sort: Annotated[str, Field(max_length=100, description=_SORT)] = "-booked_at"
