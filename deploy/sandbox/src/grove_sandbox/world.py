"""The sandbox's memory: customers, their accounts and transactions."""

import hashlib
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

SHOPS = (
    ("Green Grocer", "groceries"),
    ("City Tram", "transport"),
    ("Corner Café", "restaurants"),
    ("Power & Light", "utilities"),
    ("Paper Moon Books", "books"),
    ("Monthly salary", "income"),
)


@dataclass
class Account:
    """An account of a customer."""

    id: str
    name: str
    type: str
    mask: str
    currency: str
    balance: Decimal


@dataclass
class Transaction:
    """A booking."""

    id: str
    account_id: str
    amount: Decimal
    currency: str
    description: str
    category: str
    status: str
    booked_on: date
    replaces: str | None = None
    value_on: date | None = None


@dataclass
class Change:
    """One entry of a customer's change log, which the cursor walks."""

    kind: str
    transaction: Transaction


@dataclass
class Customer:
    """Somebody with accounts. `changes` is everything that ever happened to transactions, in order."""

    name: str
    accounts: list[Account]
    changes: list[Change]
    current: dict[str, Transaction] = field(default_factory=dict)


class World:
    """Everybody the sandbox knows. It forgets all when it ends. `calls`: how often each kind of grant was used."""

    def __init__(self) -> None:
        self.customers: dict[str, Customer] = {}
        self.calls: dict[str, int] = {}

    def customer(self, name: str) -> Customer:
        """The customer of that name, made with two accounts and three months of bookings at first sight."""
        if name not in self.customers:
            self.customers[name] = _new_customer(name)
        return self.customers[name]


def record(customer: Customer, kind: str, transaction: Transaction) -> None:
    """Add to a customer's change log."""
    if kind == "removed":
        customer.current.pop(transaction.id, None)
    else:
        customer.current[transaction.id] = transaction
    customer.changes.append(Change(kind, transaction))


def account_shown(account: Account) -> dict[str, Any]:
    """As the bank tells it."""
    return {
        "id": account.id,
        "name": account.name,
        "type": account.type,
        "mask": account.mask,
        "currency": account.currency,
        "balance": str(account.balance),
        "available": str(account.balance),
    }


def transaction_shown(transaction: Transaction) -> dict[str, Any]:
    """As the bank tells it."""
    return {
        "id": transaction.id,
        "account_id": transaction.account_id,
        "amount": str(transaction.amount),
        "currency": transaction.currency,
        "description": transaction.description,
        "category": transaction.category,
        "status": transaction.status,
        "booked_on": transaction.booked_on.isoformat(),
        "value_on": transaction.value_on.isoformat() if transaction.value_on else None,
        "replaces": transaction.replaces,
    }


def _new_customer(name: str) -> Customer:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    chance = random.Random(seed)  # noqa: S311 - the same customer has the same bookings each time
    prefix = hashlib.sha256(name.encode()).hexdigest()[:12]
    accounts = [
        Account(
            f"{prefix}-chk",
            "Everyday",
            "checking",
            f"{chance.randrange(10_000):04}",
            "EUR",
            Decimal("2480.17"),
        ),
        Account(
            f"{prefix}-sav",
            "Savings",
            "savings",
            f"{chance.randrange(10_000):04}",
            "EUR",
            Decimal("15200.00"),
        ),
    ]
    customer = Customer(name, accounts, [])
    today = datetime.now(UTC).date()
    for number in range(120):
        description, category = chance.choice(SHOPS)
        sign = 1 if category == "income" else -1
        booked = today - timedelta(days=90 - number * 90 // 120)
        pending = number >= 117
        record(
            customer,
            "added",
            Transaction(
                id=f"{prefix}-{number:04}",
                account_id=accounts[0 if number % 5 else 1].id,
                amount=sign * Decimal(chance.randrange(100, 20_000)) / 100,
                currency="EUR",
                description=description,
                category=category,
                status="pending" if pending else "posted",
                booked_on=booked,
                value_on=None if pending or number % 4 == 0 else booked + timedelta(days=number % 3),
            ),
        )
    return customer
