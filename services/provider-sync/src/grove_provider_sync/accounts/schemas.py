"""Accounts as JSON."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import PlainSerializer
from sqlalchemy import ColumnElement, SQLColumnExpression, Text, case, cast, func, literal_column

from grove.core.schema import Moment, Outgoing


def _money(amount: Decimal) -> str:
    """At least two decimals, more only where they say something."""
    cents = amount.quantize(Decimal("0.01"))
    return format(cents if cents == amount else amount.normalize(), "f")


Money = Annotated[Decimal, PlainSerializer(_money, return_type=str, when_used="json")]
"""A decimal string; the currency stands beside it."""


def money(amount: SQLColumnExpression[Decimal]) -> ColumnElement[str]:
    """The same, made by PostgreSQL."""
    cents = func.min_scale(amount) <= literal_column("2")
    return cast(case((cents, func.round(amount, literal_column("2"))), else_=func.trim_scale(amount)), Text)


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
