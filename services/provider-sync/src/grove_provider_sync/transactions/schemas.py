"""Transactions as JSON."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from grove.core.schema import Moment, Outgoing
from grove_provider_sync.accounts.schemas import Currency, Money

Status = Literal["pending", "posted"]


class TransactionRead(Outgoing):
    """A booking."""

    id: UUID
    account_id: UUID
    amount: Annotated[Money, Field(description="Money out is negative", examples=["-12.50"])]
    currency: Currency
    description: Annotated[str, Field(examples=["Tram 4, ticket"])]
    category: Annotated[str | None, Field(description="As the provider tells it", examples=["transport"])]
    status: Status
    booked_at: date
    value_at: Annotated[date | None, Field(description="The day from which interest counts")]
    updated_at: Moment


class TransactionExport(Outgoing):
    """Transactions in one file."""

    exported_at: Moment
    transactions: list[TransactionRead]
