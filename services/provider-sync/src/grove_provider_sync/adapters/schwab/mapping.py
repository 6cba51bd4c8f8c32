"""Schwab's accounts and transactions as Grove's. Of an account's number nothing is kept but its last digits."""

from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal

from grove_provider_sync.adapters.schwab.published import Account, AccountNumber, Balances, Transaction
from grove_provider_sync.providers.interface import AccountData, TransactionData

CURRENCY = "USD"
"""Schwab's accounts have no other."""
MASK = 4


def accounts(numbers: Sequence[AccountNumber], described: Sequence[Account]) -> list[AccountData]:
    """The accounts that the user let us see, by their hash, with what is told of each."""
    by_number = {each.securities_account.account_number: each for each in described}
    return [_account(number, by_number.get(number.account_number)) for number in numbers]


def transaction(item: Transaction, account_id: str) -> TransactionData | None:
    """A booking, of the day on which it was entered (UTC); None for one that Schwab calls invalid."""
    if item.status == "INVALID":
        return None
    settled = item.settlement_date
    return TransactionData(
        id=str(item.activity_id),
        account_id=account_id,
        amount=item.net_amount,
        currency=CURRENCY,
        description=_description(item),
        category=item.type.lower(),
        status="pending" if item.status == "PENDING" else "posted",
        booked_at=item.time.astimezone(UTC).date(),
        value_at=settled.astimezone(UTC).date() if settled else None,
    )


def _account(number: AccountNumber, told: Account | None) -> AccountData:
    digits = number.account_number
    kind = told.securities_account.type.lower() if told else "brokerage"
    balances = told.securities_account.current_balances if told else Balances()
    worth = told.aggregated_balance.current_liquidation_value if told else None
    return AccountData(
        id=number.hash_value,
        name=f"Schwab {kind}",
        type=kind,
        mask=digits[-MASK:] if len(digits) > MASK else None,
        currency=CURRENCY,
        balance=_first(worth, balances.liquidation_value),
        available=_first(balances.cash_available, balances.available_funds),
    )


def _first(*amounts: Decimal | None) -> Decimal | None:
    return next((amount for amount in amounts if amount is not None), None)


def _description(item: Transaction) -> str:
    """Trades have none of their own: then what was traded."""
    if item.description:
        return item.description
    traded = [part.instrument for part in item.transfer_items if part.instrument]
    named = [each.description or each.symbol for each in traded if each.asset_type != "CURRENCY"]
    return next((name for name in named if name), item.type.replace("_", " ").capitalize())
