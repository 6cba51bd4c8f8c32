"""Transactions as JSON."""

from datetime import date
from uuid import UUID

from grove.core.schema import Moment, Outgoing
from grove_provider_sync.accounts.schemas import Money


class TransactionRead(Outgoing):
    """A booking."""

    id: UUID
    account_id: UUID
    amount: Money
    currency: str
    description: str
    category: str | None
    status: str
    booked_at: date
    value_at: date | None
    updated_at: Moment
