"""What the sandbox bank answers and sends."""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from grove_provider_sync.providers.published import Published, Text

YEAR_SECONDS = 366 * 24 * 3600


class Granted(Published):
    """Tokens, and what they are for."""

    access_token: Text
    refresh_token: Text | None = None
    expires_in: float = Field(ge=0, le=YEAR_SECONDS)
    customer_id: Text = Field(max_length=200)
    consent_ends_at: AwareDatetime | None = None


class Refusal(Published):
    """Why not."""

    error: str = ""
    error_description: str = ""


class Account(Published):
    """An account. Money is text."""

    id: Text
    name: str
    type: str
    mask: str | None
    currency: str
    balance: Decimal
    available: Decimal


class Accounts(Published):
    """All of a customer's."""

    accounts: tuple[Account, ...]


class Booking(Published):
    """A booking. `replaces`: the pending one that it is the posted form of."""

    id: Text
    account_id: Text
    amount: Decimal
    currency: str
    description: str
    category: str | None
    status: Literal["pending", "posted"]
    booked_on: date
    value_on: date | None = None
    replaces: str | None = None


class Changes(Published):
    """A page."""

    added: tuple[Booking, ...]
    modified: tuple[Booking, ...]
    removed: tuple[str, ...]
    next_cursor: Text
    has_more: bool


class Webhook(Published):
    """A webhook of whatever type."""

    type: str
    customer_id: Text
    at: AwareDatetime
    consent_ends_at: AwareDatetime | None = None


GRANTED, REFUSAL, ACCOUNTS, CHANGES, WEBHOOK = (
    TypeAdapter(Granted),
    TypeAdapter(Refusal),
    TypeAdapter(Accounts),
    TypeAdapter(Changes),
    TypeAdapter(Webhook),
)
