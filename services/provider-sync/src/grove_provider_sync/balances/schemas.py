"""Balances over time as JSON."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from grove.core.schema import Outgoing
from grove_provider_sync.accounts.schemas import Currency, Money
from grove_provider_sync.balances.steps import Interval


class BalancePoint(Outgoing):
    """What the account held at the end of a day: as told on it, or on the last day before it that anything was told."""

    date: date
    balance: Money | None
    available: Money | None


class BalancesRead(Outgoing):
    """A point for each day, or for the last day of each week or month. There is none before the first that is known,
    none of days to come, and none after the account was closed.
    """

    account_id: UUID
    currency: Currency
    interval: Interval
    date_from: date
    date_to: Annotated[date, Field(description="The day after the last one of the range")]
    points: list[BalancePoint]
