"""What providers send, held to what can be stored: amounts that are numbers, real currencies, ids of some length."""

import re
from dataclasses import replace
from decimal import Decimal

from grove.core.errors import UpstreamError
from grove.core.text import without_unsafe
from grove_provider_sync.providers.interface import AccountData, TransactionData

MAX_AMOUNT = Decimal(10) ** 16
DECIMALS = Decimal("0.0001")
MAX_ID = 200
MAX_CURSOR = 100_000
_CURRENCY = re.compile(r"[A-Z]{3}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class UnreadableAnswer(UpstreamError):
    """The provider sent what can't be stored."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The provider sent {what}.")


def checked_account(account: AccountData) -> AccountData:
    """Ready to be stored. Raises UnreadableAnswer."""
    return replace(
        account,
        id=_id(account.id),
        name=_text(account.name, 200) or account.type[:40],
        type=_text(account.type, 40),
        mask=_text(account.mask, 10) if account.mask else None,
        currency=_currency(account.currency),
        balance=None if account.balance is None else _amount(account.balance),
        available=None if account.available is None else _amount(account.available),
    )


def checked_transaction(item: TransactionData) -> TransactionData:
    """Ready to be stored. Raises UnreadableAnswer."""
    return replace(
        item,
        id=_id(item.id),
        account_id=_id(item.account_id),
        amount=_amount(item.amount),
        currency=_currency(item.currency),
        description=_text(item.description, 500),
        category=_text(item.category, 100) if item.category else None,
        replaces=_id(item.replaces) if item.replaces else None,
    )


def checked_cursor(cursor: str) -> str:
    """Ready to be stored. Raises UnreadableAnswer."""
    if not 0 < len(cursor) <= MAX_CURSOR or _CONTROL.search(cursor):
        raise UnreadableAnswer("a place to go on from that can't be kept")
    return cursor


def checked_name(external_id: str | None) -> str | None:
    """The provider's name for a connection, ready to be stored. Raises UnreadableAnswer."""
    return None if external_id is None else _id(external_id)


def is_id(value: str) -> bool:
    """Whether it can be stored as an id: what can't is none of ours."""
    return 0 < len(value) <= MAX_ID and not _CONTROL.search(value)


def _id(value: str) -> str:
    if not is_id(value):
        raise UnreadableAnswer("an id that can't be kept")
    return value


def _amount(value: Decimal) -> Decimal:
    if value.is_finite() and abs(value) < MAX_AMOUNT:
        kept = value.quantize(DECIMALS)
        if abs(kept) < MAX_AMOUNT:
            return kept
    raise UnreadableAnswer("an amount that is no money")


def _currency(value: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise UnreadableAnswer("a currency that is none of ISO 4217's form")
    return value


def _text(value: str, most: int) -> str:
    return without_unsafe(_CONTROL.sub(" ", value)).strip()[:most]
