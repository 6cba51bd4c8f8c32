"""What a provider adapter does. docs/adding-a-provider.md takes one through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

from grove.core.errors import UpstreamError


class ProviderRefused(UpstreamError):
    """The provider no longer accepts our tokens: only the user can mend that, by connecting again.

    `reason`: refused, or withdrawn when the provider says that the user took the consent back.
    """

    message = "The provider no longer accepts our access."

    def __init__(self, code: Literal["refused", "withdrawn"] = "refused") -> None:
        super().__init__()
        self.reason: Literal["refused", "withdrawn"] = code


class ProviderThrottled(UpstreamError):
    """The provider asks us to wait. `retry_after` in seconds; `whole`: with every call, not this connection's alone."""

    message = "The provider asks for a pause."

    def __init__(self, retry_after: float, *, whole: bool = False) -> None:
        super().__init__()
        self.retry_after = retry_after
        self.whole = whole


class HistoryChanged(UpstreamError):
    """The provider's data changed while we paged through it: the pages must be read again from the first one."""

    message = "The provider's data kept changing while it was read."


class CursorRefused(UpstreamError):
    """The provider does not know our cursor (any more): everything must be read again from the beginning."""

    message = "The provider no longer knows where we stopped."


class NoticeRefused(Exception):
    """A webhook that the provider did not sign, or that is too old."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `calls` in any `seconds`, as the provider promises to refuse more."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Description:
    """What a provider is and can do. The first four are what users see.

    `refreshes`: access tokens end and are swapped. `code`: the user comes back from consenting with a code.
    `revokes`: tokens can be given back. `webhooks`: it tells when there is news. `lists_all`: pages read from the
    beginning hold every booking there is, so that what they do not hold was removed. `lasting_ids`: an `external_id`
    names a customer, for ever; otherwise it names the access, and when that has ended the next one has another.
    `whole`: the budget of all calls; `each`: that of one connection. `consent_days`: after how many days the user must
    consent again, whatever is refreshed, where that is the same for all.
    """

    key: str
    name: str
    kind: Literal["bank", "brokerage", "aggregator"]
    scopes: tuple[str, ...]
    refreshes: bool = True
    code: bool = True
    revokes: bool = True
    webhooks: bool = False
    lists_all: bool = True
    lasting_ids: bool = True
    whole: Budget | None = None
    each: Budget | None = None
    consent_days: int | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave us. `expires_at` is that of the access token; None when it does not end."""

    access_token: str
    refresh_token: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asking:
    """What a user is sent to the provider with.

    `challenge`: PKCE, S256 (RFC 7636). `user`: a name for them that tells the provider nothing. `held`: the tokens of
    a connection that is connected again.
    """

    state: str
    challenge: str
    redirect_uri: str
    user: str
    held: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """Where the user consents, and what the adapter wants back when they return. It is kept encrypted."""

    url: str
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """What a user came back with, and what was kept for it."""

    code: str | None
    verifier: str
    redirect_uri: str
    secret: str | None = None
    held: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """Access to somebody's data.

    `external_id`: the provider's own name for what was linked, by which its webhooks speak of it; a connection that is
    connected again must have the same, where ids last. `ends_at`: when the user must consent again, whatever is
    refreshed.
    """

    tokens: Tokens
    external_id: str | None = None
    ends_at: datetime | None = None


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
    status: Literal["pending", "posted"]
    booked_at: date
    value_at: date | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """All bookings of an account from `start` to before `end`: what we hold there beside them was removed."""

    account_id: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """What changed since a cursor.

    `whole`: the page is all there is in that window, for providers that do not tell what they removed.
    """

    changed: tuple[TransactionData, ...]
    removed: tuple[str, ...]
    next_cursor: str
    has_more: bool
    whole: Window | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What a webhook says of a connection: there is news, access has ended or was taken back, or will end.

    `written_at`: when, as the provider signed it. What it wrote before the user gave access anew is about the old one.
    """

    external_id: str
    kind: Literal["news", "refused", "withdrawn", "ends_soon", "repaired"]
    ends_at: datetime | None = None
    written_at: datetime | None = None


class Provider(Protocol):
    """An adapter.

    Calls raise ProviderRefused, ProviderThrottled, UpstreamError, UpstreamTimeout or CircuitOpen; an answer that is
    not what the provider publishes is an UpstreamError too.
    """

    description: Description

    async def authorize(self, asking: Asking) -> Consent:
        """Where the user consents."""
        ...

    async def exchange(self, back: Return) -> Grant:
        """Access, for a user who came back. Raises ProviderRefused when there is none."""
        ...

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens, without a refresh token when the provider sends none: then ours stays.

        Never tried twice by itself: a refresh token that is used again may end the consent.
        """
        ...

    async def revoke(self, tokens: Tokens) -> None:
        """Give the tokens back. Those that the provider does not know any more are given back already."""
        ...

    async def accounts(self, access_token: str) -> Sequence[AccountData]:
        """All accounts."""
        ...

    async def transactions(self, access_token: str, cursor: str | None) -> TransactionPage:
        """One page of what changed since the cursor; None: from the beginning.

        Raises HistoryChanged or CursorRefused beside the others.
        """
        ...

    async def notices(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        """What a webhook says, once its signature is checked; header names are in lower case. Raises NoticeRefused."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
