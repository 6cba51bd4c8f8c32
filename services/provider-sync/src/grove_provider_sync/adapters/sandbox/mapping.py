"""The sandbox bank's accounts, bookings and webhooks as Grove's."""

from typing import Literal

from grove_provider_sync.adapters.sandbox.published import Account, Booking, Changes, Webhook
from grove_provider_sync.providers.interface import AccountData, Notice, TransactionData, TransactionPage

_KINDS: dict[str, Literal["news", "refused", "withdrawn", "ends_soon", "repaired"]] = {
    "transactions.changed": "news",
    "consent.withdrawn": "withdrawn",
    "consent.ends_soon": "ends_soon",
    "access.refused": "refused",
    "access.repaired": "repaired",
}


def account(item: Account) -> AccountData:
    """An account."""
    return AccountData(
        id=item.id,
        name=item.name,
        type=item.type,
        mask=item.mask,
        currency=item.currency,
        balance=item.balance,
        available=item.available,
    )


def page(changes: Changes) -> TransactionPage:
    """A page. The bank gives no id twice: what it removes on a page is gone, though the same page told of it."""
    changed = (*changes.added, *changes.modified)
    return TransactionPage(
        changed=tuple(_transaction(item) for item in changed if item.id not in changes.removed),
        removed=changes.removed,
        next_cursor=changes.next_cursor,
        has_more=changes.has_more,
    )


def notices(webhook: Webhook) -> tuple[Notice, ...]:
    """What a webhook says; nothing for a type that is not known."""
    kind = _KINDS.get(webhook.type)
    if kind is None:
        return ()
    return (Notice(webhook.customer_id, kind, ends_at=webhook.consent_ends_at, written_at=webhook.at),)


def _transaction(item: Booking) -> TransactionData:
    return TransactionData(
        id=item.id,
        account_id=item.account_id,
        amount=item.amount,
        currency=item.currency,
        description=item.description,
        category=item.category,
        status=item.status,
        booked_at=item.booked_on,
        value_at=item.value_on,
        replaces=item.replaces,
    )
