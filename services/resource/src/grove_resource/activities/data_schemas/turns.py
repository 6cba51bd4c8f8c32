"""Whose turn it is at the checking process, and how many may wait for theirs."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from grove.core.errors import RateLimited, ServiceUnavailable

TURN_SECONDS = 5
"""How long anybody waits for their turn."""
MAX_WAITING = 64
MAX_OF_USER = 8
MAX_IN_TRANSACTIONS, MAX_OF_USER_IN_TRANSACTIONS = 8, 4
"""Of those that keep a connection to the database meanwhile: of a process's 15, some stay for all else."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and whether a transaction is open as long as they wait."""

    user_id: UUID
    in_transaction: bool = False


class Turns:
    """One after the other, in the order they came."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting: Counter[Asker | None] = Counter()

    @asynccontextmanager
    async def next(self, asker: Asker | None) -> AsyncIterator[None]:
        """A turn. Raises RateLimited when too many of the asker's wait already, ServiceUnavailable when too many do in
        all, or when the turn does not come in time.
        """
        self._must_have_room(asker)
        self._waiting[asker] += 1
        try:
            await self._begin()
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._waiting[asker] -= 1
            self._waiting += Counter()  # forgets those that wait no more

    async def _begin(self) -> None:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise ServiceUnavailable(retry_after=TURN_SECONDS) from None

    def _must_have_room(self, asker: Asker | None) -> None:
        if asker is not None:
            of_user = MAX_OF_USER_IN_TRANSACTIONS if asker.in_transaction else MAX_OF_USER
            if self._waiting[asker] >= of_user:
                raise RateLimited(1)
            if asker.in_transaction and self._in_transactions() >= MAX_IN_TRANSACTIONS:
                raise ServiceUnavailable
        if self._waiting.total() >= MAX_WAITING:
            raise ServiceUnavailable

    def _in_transactions(self) -> int:
        return sum(count for asker, count in self._waiting.items() if asker is not None and asker.in_transaction)
