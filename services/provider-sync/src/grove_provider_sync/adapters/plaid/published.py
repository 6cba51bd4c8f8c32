"""What Plaid's API (version 2020-09-14) answers, as far as it is used here."""

from datetime import date
from decimal import Decimal
from typing import TypeVar

from pydantic import AwareDatetime, Field, TypeAdapter

from grove_provider_sync.providers import published
from grove_provider_sync.providers.published import Published, Text

P = TypeVar("P", bound=Published)


def read(form: type[P], content: bytes) -> P:
    """Plaid's JSON in the form. Raises UpstreamError that names the field, never its value, for anything else."""
    return published.read(TypeAdapter(form), content, "Plaid")


class Failure(Published):
    """What Plaid answers instead when it refuses."""

    error_type: str
    error_code: str
    error_message: str = ""


class LinkTokenCreated(Published):
    """/link/token/create."""

    link_token: Text
    hosted_link_url: str = Field(pattern=r"^https?://")


class AddedItem(Published):
    """A bank that a user linked."""

    public_token: Text


class SessionResults(Published):
    """What a user did in Link."""

    item_add_results: tuple[AddedItem, ...] = ()


class SessionExit(Published):
    """A user left Link before its end."""


class LinkSession(Published):
    """One opening of the page."""

    finished_at: AwareDatetime | None = None
    exit: SessionExit | None = None
    on_exit: SessionExit | None = None
    on_success: AddedItem | None = None
    results: SessionResults | None = None

    @property
    def done(self) -> bool:
        """Whether the user went through to the end."""
        return self.finished_at is not None and self.exit is None and self.on_exit is None

    @property
    def public_token(self) -> str | None:
        """Of what was linked; None: nothing was."""
        added = self.results.item_add_results if self.results else ()
        found = added[0] if added else self.on_success
        return found.public_token if found else None


class LinkToken(Published):
    """/link/token/get."""

    link_sessions: tuple[LinkSession, ...] = ()


class Exchanged(Published):
    """/item/public_token/exchange."""

    access_token: Text
    item_id: Text


class Item(Published):
    """A user's login at a bank."""

    item_id: Text
    error: Failure | None = None
    consent_expiration_time: AwareDatetime | None = None


class ItemFound(Published):
    """/item/get."""

    item: Item


class Done(Published):
    """An answer whose status says all."""


class Balances(Published):
    """Of an account."""

    current: Decimal | None
    available: Decimal | None
    iso_currency_code: str | None


class Account(Published):
    """An account."""

    account_id: Text
    name: str
    official_name: str | None = None
    type: Text
    subtype: str | None
    mask: str | None
    balances: Balances


class Accounts(Published):
    """/accounts/get."""

    accounts: tuple[Account, ...]


class Category(Published):
    """Of a transaction."""

    primary: str


class Transaction(Published):
    """A booking."""

    transaction_id: Text
    account_id: Text
    amount: Decimal
    iso_currency_code: str | None
    date: date
    name: str
    merchant_name: str | None = None
    personal_finance_category: Category | None = None
    pending: bool
    pending_transaction_id: str | None


class Removed(Published):
    """A booking that is gone."""

    transaction_id: Text


class Synced(Published):
    """/transactions/sync."""

    added: tuple[Transaction, ...]
    modified: tuple[Transaction, ...]
    removed: tuple[Removed, ...]
    next_cursor: str
    has_more: bool


class VerificationKey(Published):
    """A public key that webhooks are signed with (a JWK)."""

    kid: Text
    kty: str
    alg: str
    crv: str
    x: Text
    y: Text
    expired_at: int | None


class VerificationKeyFound(Published):
    """/webhook_verification_key/get."""

    key: VerificationKey
