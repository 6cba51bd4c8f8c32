"""Plaid's accounts and transactions as Grove's.

Signs: in Plaid a positive amount of a transaction is money that left the account, and a positive balance of a credit
card or a loan is what is owed. In Grove money that leaves and money that is owed are negative, so both are negated.
What is available is in both what can still be spent: it keeps its sign.
"""

from decimal import Decimal

from grove_provider_sync.adapters.plaid.published import Account, Transaction
from grove_provider_sync.providers.interface import AccountData, TransactionData

NO_CURRENCY = "XXX"
"""ISO 4217's code for none: Plaid has currencies that are not of ISO 4217, and accounts without one."""
_DEBTS = frozenset({"credit", "loan"})


def account(item: Account) -> AccountData:
    """An account; its type is Plaid's subtype, which says more, where there is one."""
    current = item.balances.current
    return AccountData(
        id=item.account_id,
        name=item.name or item.official_name or "",
        type=item.subtype or item.type,
        mask=item.mask,
        currency=item.balances.iso_currency_code or NO_CURRENCY,
        balance=_negated(current) if current is not None and item.type in _DEBTS else current,
        available=item.balances.available,
    )


def transaction(item: Transaction) -> TransactionData:
    """A booking. `date` is when it was booked, or is expected to be; when it was authorised is not kept."""
    category = item.personal_finance_category
    return TransactionData(
        id=item.transaction_id,
        account_id=item.account_id,
        amount=_negated(item.amount),
        currency=item.iso_currency_code or NO_CURRENCY,
        description=item.merchant_name or item.name,
        category=category.primary.lower() if category else None,
        status="pending" if item.pending else "posted",
        booked_at=item.date,
        replaces=item.pending_transaction_id,
    )


def _negated(amount: Decimal) -> Decimal:
    """Without a negative zero, and exact: a unary minus would round to the context's digits."""
    return amount.copy_negate() if amount else amount.copy_abs()
