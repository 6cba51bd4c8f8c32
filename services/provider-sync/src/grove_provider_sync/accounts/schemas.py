"""Accounts as JSON."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, PlainSerializer, WithJsonSchema
from sqlalchemy import ColumnElement, SQLColumnExpression, Text, case, cast, func, literal_column

from grove.core.schema import Moment, Outgoing


def _money(amount: Decimal) -> str:
    """At least two decimals, more only where they say something."""
    cents = amount.quantize(Decimal("0.01"))
    return format(cents if cents == amount else amount.normalize(), "f")


Money = Annotated[
    Decimal,
    PlainSerializer(_money, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2,4}$", "examples": ["1520.75"]}),
]
"""A decimal string; the currency stands beside it."""


def money(amount: SQLColumnExpression[Decimal] | SQLColumnExpression[Decimal | None]) -> ColumnElement[str]:
    """The same, made by PostgreSQL."""
    cents = func.min_scale(amount) <= literal_column("2")
    return cast(case((cents, func.round(amount, literal_column("2"))), else_=func.trim_scale(amount)), Text)


Currency = Annotated[str, Field(description="ISO 4217", examples=["EUR"])]


class AccountRead(Outgoing):
    """An account at a provider. `balance` and `available` are null where the provider does not tell them.

    `closed_at`: since when the provider does not list it any more; its history stays.
    """

    id: UUID
    connection_id: UUID
    name: Annotated[str, Field(examples=["Everyday"])]
    type: Annotated[str, Field(description="As the provider calls it", examples=["checking"])]
    mask: Annotated[str | None, Field(description="The last characters of its number", examples=["4821"])]
    currency: Currency
    balance: Annotated[Money | None, Field(description="What is booked")]
    available: Annotated[Money | None, Field(description="What can be spent")]
    updated_at: Annotated[Moment, Field(description="When anything of this changed last")]
    closed_at: Moment | None


class AccountList(Outgoing):
    """All accounts of a user, at most a thousand."""

    items: list[AccountRead]
