"""Transactions as JSON."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from grove.core.schema import Moment
from grove_provider_sync.accounts.schemas import Money


@dataclass(slots=True, kw_only=True)
class TransactionRead:
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

    @classmethod
    def of(cls, row: Any) -> "TransactionRead":
        """From a row of ours, which is known to fit."""
        return cls(
            id=row.id,
            account_id=row.account_id,
            amount=row.amount,
            currency=row.currency,
            description=row.description,
            category=row.category,
            status=row.status,
            booked_at=row.booked_at,
            value_at=row.value_at,
            updated_at=row.updated_at,
        )
