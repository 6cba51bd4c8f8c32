"""What Plaid remembers: items, openings of Link, and the keys that it signs with. It forgets all when it ends."""

import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from grove_sandbox.plaid.errors import PlaidError
from grove_sandbox.plaid.keys import Keys


@dataclass
class Failing:
    """What an item's calls are refused with, `times` times or until it is mended. `status`: another than usual."""

    code: str
    times: int | None = None
    status: int | None = None


@dataclass
class Item:
    """A customer's login at the bank.

    `mutates`: its data changes while it is paged through. `ready`: its history was fetched. `cursors`: counts up when
    all cursors given before are forgotten. `paging`: the cursor of the next page of a walk that is not over.
    """

    id: str
    access_token: str
    customer: str
    webhook: str | None
    days_requested: int
    removed: bool = False
    failing: Failing | None = None
    mutates: Literal["never", "once", "always"] = "never"
    ready: bool = True
    consent_ends_at: datetime | None = None
    cursors: int = 0
    paging: str | None = None

    def serve(self) -> None:
        """Count a call for its data. Raises PlaidError while it fails."""
        failing = self.failing
        if failing is None:
            return
        if failing.times is not None:
            failing.times -= 1
            if failing.times <= 0:
                self.failing = None
        raise PlaidError(failing.code, failing.status)


@dataclass
class Session:
    """A link token, and what its user did. `updates`: the item to mend."""

    token: str
    user: str
    redirect_uri: str
    webhook: str | None
    days_requested: int
    updates: Item | None
    outcome: Literal["open", "done", "exited"] = "open"
    public_token: str | None = None


@dataclass
class Memory:
    """Everything. `calls` counts by path."""

    items: dict[str, Item] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    public_tokens: dict[str, tuple[str, Session]] = field(default_factory=dict)
    keys: Keys = field(default_factory=Keys)
    calls: Counter[str] = field(default_factory=Counter)

    def item_of(self, access_token: str) -> Item:
        """The living item. Raises PlaidError."""
        item = self.items.get(access_token)
        if item is None or item.removed:
            raise PlaidError("INVALID_ACCESS_TOKEN")
        return item

    def add_item(self, customer: str, session: Session) -> Item:
        """A new one."""
        item = Item(
            id=secrets.token_urlsafe(27),
            access_token=f"access-sandbox-{secrets.token_urlsafe(24)}",
            customer=customer,
            webhook=session.webhook,
            days_requested=session.days_requested,
        )
        self.items[item.access_token] = item
        return item

    def add_session(self, session: Session) -> None:
        """A link token that was asked for."""
        self.sessions[session.token] = session

    def finish(self, session: Session, customer: str) -> None:
        """The user went through Link: something new is linked, or a login is mended."""
        session.outcome = "done"
        if session.updates is not None:
            session.updates.failing = None
            return
        session.public_token = f"public-sandbox-{secrets.token_urlsafe(24)}"
        self.public_tokens[session.public_token] = (customer, session)
