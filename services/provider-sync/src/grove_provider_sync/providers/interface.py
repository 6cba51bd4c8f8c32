"""What a provider adapter does. Adding a provider is adding a module beside this one, and a line in registry.py."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from grove.core.errors import UpstreamError


class ProviderRefused(UpstreamError):
    """The provider no longer accepts our tokens: only the user can mend that, by connecting again."""

    message = "The provider no longer accepts our access."


class ProviderThrottled(UpstreamError):
    """The provider asks us to wait. `retry_after` in seconds."""

    message = "The provider asks for a pause."

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Description:
    """What users see of a provider."""

    key: str
    name: str
    kind: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave us."""

    access_token: str
    refresh_token: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccountData:
    """An account as the provider tells it."""

    id: str
    name: str
    type: str
    mask: str | None
    currency: str
    balance: Decimal | None
    available: Decimal | None


@dataclass(frozen=True, slots=True)
class TransactionData:
    """A booking as the provider tells it. `replaces`: the pending booking that this is the posted form of."""

    id: str
    account_id: str
    amount: Decimal
    currency: str
    description: str
    category: str | None
    status: str
    booked_at: date
    value_at: date | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """What changed since a cursor."""

    changed: tuple[TransactionData, ...]
    removed: tuple[str, ...]
    next_cursor: str
    has_more: bool


class Provider(Protocol):
    """An adapter. Calls raise ProviderRefused, ProviderThrottled, UpstreamError, UpstreamTimeout or CircuitOpen."""

    description: Description

    def authorization_url(self, *, state: str, challenge: str, redirect_uri: str) -> str:
        """Where the user consents. `challenge`: PKCE, S256 (RFC 7636)."""
        ...

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """The tokens for a code."""
        ...

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens; the refresh token stays the same when the provider sends none."""
        ...

    async def revoke(self, tokens: Tokens) -> None:
        """Give the tokens back."""
        ...

    async def accounts(self, access_token: str) -> list[AccountData]:
        """All accounts."""
        ...

    async def transactions(self, access_token: str, cursor: str | None) -> TransactionPage:
        """One page of what changed since the cursor; None: from the beginning."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
