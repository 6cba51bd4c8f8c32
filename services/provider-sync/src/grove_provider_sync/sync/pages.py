"""Pages of transactions: each is applied in one transaction with its cursor, while the next one is fetched.

The cursor is the only place where a run stands: a worker that dies leaves it at the last page that was applied.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

import structlog

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove.core.tasks import end
from grove_provider_sync.connections import events
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.providers.checks import checked_cursor
from grove_provider_sync.providers.interface import CursorRefused, HistoryChanged, Provider, TransactionPage
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.fetching import Fetching
from grove_provider_sync.sync.leasing import Lease, RunLost
from grove_provider_sync.sync.metrics import BOOKINGS
from grove_provider_sync.transactions.repository import Changes, TransactionRepository

log = structlog.get_logger()

MAX_PAGES = 100_000
SLICE_SECONDS = 20.0
"""How long a run may page before others get its place."""
MAX_RESTARTS = 5
"""Walks that begin anew because the data changed, before everything is read from the beginning, and then as many."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """Where a walk through the pages stands."""

    cursor: str | None
    restarts: int
    pages: int


class Pages:
    """The pages of one run."""

    def __init__(self, resources: Resources, lease: Lease, provider: Provider, fetching: Fetching) -> None:
        self._sessions = resources.sessions
        self._lease = lease
        self._provider = provider
        self._fetching = fetching
        self._slice_ends = time.monotonic() + SLICE_SECONDS

    async def apply_all(self) -> bool:
        """Apply what changed since the last run. False when it made room for others and is to go on later.

        Raises RunLost, or what the provider's adapter raises.
        """
        while True:
            stand = await self._begin()
            try:
                return await self._walk(stand)
            except HistoryChanged:
                await self._begin_anew(from_the_beginning=stand.restarts + 1 == MAX_RESTARTS)
                if stand.restarts + 1 >= 2 * MAX_RESTARTS:
                    raise
            except CursorRefused:
                if stand.cursor is None or stand.restarts >= 2 * MAX_RESTARTS:
                    raise
                await self._begin_anew(from_the_beginning=True)

    async def _walk(self, stand: _Stand) -> bool:
        cursor = stand.cursor
        seen: set[str | None] = {cursor}
        fetching = asyncio.create_task(self._fetching.page(cursor))
        try:
            while True:
                page = await fetching
                go_on = page.has_more and time.monotonic() < self._slice_ends
                if page.has_more:
                    if page.next_cursor in seen or stand.pages + len(seen) > MAX_PAGES:
                        raise UpstreamError(f"{self._provider.description.name} sends the same pages again and again.")
                    seen.add(page.next_cursor)
                if go_on:
                    fetching = asyncio.create_task(self._fetching.page(page.next_cursor))
                await self._apply(cursor, page)
                if not go_on:
                    return not page.has_more
                cursor = page.next_cursor
        finally:
            await end(fetching)

    async def _begin(self) -> _Stand:
        """Go on at the cursor. A walk from the beginning notes its time: it will have met all that there is."""
        async with self._sessions.begin() as session:
            connection, run = await self._lease.of(session)
            if connection.cursor is None and connection.whole_since is None:
                connection.whole_since = now()
            return _Stand(connection.cursor, run.restarts, run.pages)

    async def _begin_anew(self, *, from_the_beginning: bool) -> None:
        async with self._sessions.begin() as session:
            connection, run = await self._lease.of(session)
            if from_the_beginning:
                connection.loop_cursor = None
            if connection.loop_cursor is None:
                connection.whole_since = None  # what the broken walk has met may be gone
            connection.cursor = connection.loop_cursor
            run.restarts += 1
        log.info("sync.begun_anew", connection_id=str(self._lease.connection_id), whole=from_the_beginning)

    async def _apply(self, cursor: str | None, page: TransactionPage) -> None:
        await self._fetching.know_accounts_of(page)
        async with self._sessions.begin() as session:
            connection, run = await self._lease.of(session)
            if connection.cursor != cursor:
                raise RunLost  # another worker went on from here meanwhile
            transactions = TransactionRepository(session, connection.user_id)
            accounts = self._fetching.account_ids
            changes = await transactions.apply(connection.id, accounts, page, seen_at=connection.whole_since)
            connection.cursor = checked_cursor(page.next_cursor)
            if not page.has_more:
                changes = await self._end_walk(transactions, connection, changes)
            _count(self._provider.description.key, run, changes)
            if changes.any:
                fact = events.transactions_changed(
                    connection,
                    self._provider.description,
                    added=len(changes.added),
                    changed=len(changes.changed),
                    removed=len(changes.removed),
                    ids=[*changes.added, *changes.changed, *changes.removed],
                )
                await events.tell(session, connection, fact)

    async def _end_walk(self, transactions: TransactionRepository, connection: Connection, changes: Changes) -> Changes:
        """The next walk begins here. What a whole one has not met is gone at the provider."""
        whole_since: datetime | None = connection.whole_since
        connection.loop_cursor, connection.whole_since = connection.cursor, None
        if whole_since is None or not self._provider.description.lists_all:
            return changes
        return changes.and_removed(await transactions.remove_unseen(connection.id, whole_since))


def _count(provider: str, run: SyncRun, changes: Changes) -> None:
    run.pages += 1
    run.added += len(changes.added)
    run.changed += len(changes.changed)
    run.removed += len(changes.removed)
    for kind, ids in (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed)):
        BOOKINGS.labels(provider, kind).inc(len(ids))
