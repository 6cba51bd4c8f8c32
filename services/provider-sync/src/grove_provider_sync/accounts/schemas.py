"""Accounts as JSON."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from grove.core.schema import Moment, Outgoing
from pydantic import PlainSerializer

Money = Annotated[
    Decimal, PlainSerializer(lambda amount: format(amount, "f"), return_type=str, when_used="json")
]
"""A decimal string; the currency stands beside it."""


class AccountRead(Outgoing):
    """An account at a provider."""

    id: UUID
    connection_id: UUID
    name: str
    type: str
    mask: str | None
    currency: str
    balance: Money | None
    available: Money | None
    updated_at: Moment


class AccountList(Outgoing):
    """All accounts of a user."""

    items: list[AccountRead]
