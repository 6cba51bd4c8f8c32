"""The transaction lists: their filters and orders."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, String, bindparam, func

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_provider_sync.connections.visibility import seen
from grove_provider_sync.models import Transaction

ORDERS = Keyset(
    {
        "booked_at": Sortable(Transaction.booked_at, date.fromisoformat),
        "updated_at": Sortable(Transaction.updated_at, parse_time),
        "amount": Sortable(Transaction.amount, Decimal),
    },
    tie=Transaction.id,
)
FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": Transaction.user_id == bindparam("user_id"),
    "seen": seen(Transaction.connection_id, Transaction.user_id),
    "not_removed": Transaction.removed_at.is_(None),
    "account": Transaction.account_id == bindparam("account"),
    "date_from": Transaction.booked_at >= bindparam("date_from"),
    "date_to": Transaction.booked_at < bindparam("date_to"),
    "amount_from": Transaction.amount >= bindparam("amount_from"),
    "amount_to": Transaction.amount < bindparam("amount_to"),
    "q": Transaction.search.op("@@")(func.websearch_to_tsquery("simple", bindparam("q", type_=String))),
}


class TransactionFilter(ListQuery):
    """What the transaction lists can be asked for."""

    date_from: Annotated[date | None, Field(description="Booked on this day or later")] = None
    date_to: Annotated[date | None, Field(description="Booked before this day")] = None
    amount_from: Annotated[Decimal | None, Field(description="At least this amount; money out is negative")] = None
    amount_to: Annotated[Decimal | None, Field(description="Less than this amount")] = None
    q: Annotated[str | None, Field(min_length=1, max_length=200, description="Words in the description")] = None
    sort: Annotated[str, Field(max_length=100, description="booked_at, updated_at, amount; `-` for descending")] = (
        "-booked_at"
    )

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        values = {
            "date_from": self.date_from,
            "date_to": self.date_to,
            "amount_from": self.amount_from,
            "amount_to": self.amount_to,
            "q": self.q,
        }
        given = {name: value for name, value in values.items() if value is not None}
        return {"seen": None, "not_removed": None} | given


class AllTransactionsFilter(TransactionFilter):
    """With the account, where the path does not name it."""

    account: Annotated[UUID | None, Field(description="Of this account")] = None

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        return super().given | ({} if self.account is None else {"account": self.account})
