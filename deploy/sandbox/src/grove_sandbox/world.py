"""The sandbox's memory: customers, their accounts and transactions, and the tokens given for them."""

import hashlib
import random
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from grove_sandbox.settings import SandboxSettings

_SHOPS = (
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


@dataclass
class Grant:
    """An authorisation code, or a token family."""

    customer: str
    challenge: str
    redirect_uri: str
    expires: float


class World:
    """Everything the sandbox knows. It forgets all when it ends."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self.customers: dict[str, Customer] = {}
        self.codes: dict[str, Grant] = {}
        self.access_tokens: dict[str, tuple[str, float]] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.spent_refresh_tokens: set[str] = set()
        self.calls: dict[str, int] = {}

    def customer(self, name: str) -> Customer:
        """The customer of that name, made with two accounts and three months of bookings at first sight."""
        if name not in self.customers:
            self.customers[name] = _new_customer(name)
        return self.customers[name]

    def issue_tokens(self, customer: str) -> dict[str, object]:
        """A new token pair."""
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.access_tokens[access] = (customer, time.time() + self._settings.access_token_seconds)
        self.refresh_tokens[refresh] = customer
        return {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": self._settings.access_token_seconds,
            "scope": "accounts transactions",
            "customer_id": customer,
        }

    def refresh(self, token: str) -> dict[str, object] | None:
        """Swap a refresh token; one used again ends all tokens of its customer."""
        if token in self.spent_refresh_tokens:
            self.revoke_all(self.refresh_tokens.get(token, ""))
            return None
        customer = self.refresh_tokens.get(token)
        if customer is None:
            return None
        self.spent_refresh_tokens.add(token)
        return self.issue_tokens(customer)

    def revoke_all(self, customer: str) -> None:
        """End every token of a customer."""
        self.access_tokens = {t: grant for t, grant in self.access_tokens.items() if grant[0] != customer}
        self.refresh_tokens = {t: name for t, name in self.refresh_tokens.items() if name != customer}

    def customer_of(self, access_token: str) -> Customer | None:
        """Whose living token it is."""
        grant = self.access_tokens.get(access_token)
        if grant is None or grant[1] < time.time():
            return None
        return self.customer(grant[0])


def record(customer: Customer, kind: str, transaction: Transaction) -> None:
    """Add to a customer's change log."""
    if kind == "removed":
        customer.current.pop(transaction.id, None)
    else:
        customer.current[transaction.id] = transaction
    customer.changes.append(Change(kind, transaction))


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
        description, category = chance.choice(_SHOPS)
        sign = 1 if category == "income" else -1
        booked = today - timedelta(days=90 - number * 90 // 120)
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
                status="pending" if number >= 117 else "posted",
                booked_on=booked,
            ),
        )
    return customer
