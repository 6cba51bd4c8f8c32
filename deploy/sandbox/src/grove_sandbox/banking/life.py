"""A customer's life at random: what happens to bookings and accounts over time, the same for the same seed."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from grove_sandbox.world import SHOPS, Account, Customer, Transaction, record


def live(customer: Customer, steps: int, seed: int) -> None:
    """Make `steps` random changes."""
    life = _Life(customer, random.Random(seed))  # noqa: S311 - the same seed gives the same life
    for _ in range(steps):
        life.step()
    life.tell_what_is_left()


def fill(customer: Customer, bookings: int, seed: int) -> None:
    """Give a customer so many more bookings, of the accounts that there are."""
    life = _Life(customer, random.Random(seed))  # noqa: S311 - the same seed gives the same bookings
    for _ in range(bookings):
        life.book()


class _Life:
    """`_untold`: pending bookings that were posted already and whose removal the bank tells later."""

    def __init__(self, customer: Customer, chance: random.Random) -> None:
        self._customer = customer
        self._chance = chance
        self._untold: list[str] = []
        self._made = 0
        self._likely: dict[Callable[[], None], int] = {
            self._new_pending: 30,
            self._post: 25,
            self._change: 15,
            self._remove_one: 12,
            self._balance: 12,
            self._open_account: 4,
            self._close_account: 2,
        }

    def step(self) -> None:
        """One change."""
        if self._untold and self._chance.random() < 0.5:
            self._remove(self._untold.pop(0))
        [change] = self._chance.choices(list(self._likely), list(self._likely.values()))
        change()

    def book(self) -> None:
        """A posted booking."""
        record(self._customer, "added", self._booking(self._chance.choice(self._customer.accounts), "posted"))

    def tell_what_is_left(self) -> None:
        """Nothing is left open at the end."""
        while self._untold:
            self._remove(self._untold.pop(0))

    def _new_pending(self) -> None:
        record(self._customer, "added", self._booking(self._chance.choice(self._customer.accounts), "pending"))

    def _post(self) -> None:
        pending = self._some("pending")
        if pending is None:
            self._new_pending()
            return
        posted = replace(pending, id=self._new_id(), status="posted", replaces=pending.id, value_on=self._value_date())
        told = self._chance.choice(("before", "after", "later"))
        if told == "before":
            self._remove(pending.id)
        record(self._customer, "added", posted)
        if told == "after":
            self._remove(pending.id)
        elif told == "later":
            self._untold.append(pending.id)

    def _change(self) -> None:
        found = self._some()
        if found is None:
            self._new_pending()
            return
        description, category = self._chance.choice(SHOPS)
        changed = self._chance.choice(
            (
                replace(found, description=f"{description} {self._chance.randrange(1000)}", category=category),
                replace(found, amount=found.amount + Decimal(self._chance.randrange(1, 500)) / 100),
                replace(found, value_on=self._value_date()),
            )
        )
        record(self._customer, "modified", changed)

    def _remove_one(self) -> None:
        found = self._some()
        if found is not None:
            self._remove(found.id)

    def _balance(self) -> None:
        account = self._chance.choice(self._customer.accounts)
        account.balance += Decimal(self._chance.randrange(-5000, 5000)) / 100

    def _open_account(self) -> None:
        digits = f"{self._chance.randrange(10_000):04}"
        account = Account(f"{self._new_id()}-acc", f"Pocket {digits}", "savings", digits, "EUR", Decimal(50))
        self._customer.accounts.append(account)
        for _ in range(self._chance.randrange(1, 5)):
            record(self._customer, "added", self._booking(account, "posted"))

    def _close_account(self) -> None:
        """Never one of the first two; its bookings go with it."""
        if len(self._customer.accounts) <= 2:
            return
        account = self._customer.accounts.pop(self._chance.randrange(2, len(self._customer.accounts)))
        for booking in [each for each in self._customer.current.values() if each.account_id == account.id]:
            if booking.id in self._untold:
                self._untold.remove(booking.id)
            self._remove(booking.id)

    def _some(self, status: str | None = None) -> Transaction | None:
        """A booking of which the bank has not said all, or none."""
        found = [
            each
            for each in self._customer.current.values()
            if each.id not in self._untold and status in {None, each.status}
        ]
        return self._chance.choice(found) if found else None

    def _booking(self, account: Account, status: str) -> Transaction:
        description, category = self._chance.choice(SHOPS)
        return Transaction(
            id=self._new_id(),
            account_id=account.id,
            amount=Decimal(self._chance.randrange(-20_000, 20_000)) / 100,
            currency=account.currency,
            description=description,
            category=category,
            status=status,
            booked_on=datetime.now(UTC).date() - timedelta(days=self._chance.randrange(3)),
            value_on=None if status == "pending" else self._value_date(),
        )

    def _value_date(self) -> date | None:
        days = self._chance.randrange(4)
        return None if days == 3 else datetime.now(UTC).date() + timedelta(days=days)

    def _new_id(self) -> str:
        """Never used again, as the list of changes only grows."""
        self._made += 1
        return f"{self._customer.name}-{len(self._customer.changes):06}-{self._made}"

    def _remove(self, transaction_id: str) -> None:
        record(self._customer, "removed", self._customer.current[transaction_id])
