"""How far users' streams are and what they have not read, asked for many of them in one statement.

Thousands of connections want to know at the same moment: when each was sent something, when they come back. Counting
takes as long as there is much to count: who has very many unread is asked about alone, and holds up nobody else.
"""

import asyncio
from itertools import islice
from uuid import UUID

from grove.postgres.reads import Reads
from grove_notification.live.repository import State, states

USERS_A_COUNT = 500
"""Whose unread one statement counts."""
MANY = 1000
"""So many unread take longer to count than a statement takes by itself."""
REMEMBERED = 10_000


class States:
    """Asks for most users together, for those with much to count one by one, both at a time."""

    def __init__(self, reads: Reads) -> None:
        self._together = _Row(reads, USERS_A_COUNT)
        self._alone = _Row(reads, 1)
        self._have_many: set[UUID] = set()

    async def of(self, user_id: UUID) -> State:
        """As of now or later. Raises what the store raises."""
        state = await (self._alone if user_id in self._have_many else self._together).of(user_id)
        if state.unread < MANY:
            self._have_many.discard(user_id)
        elif len(self._have_many) < REMEMBERED:
            self._have_many.add(user_id)
        return state


class _Row:
    """Who asks while others are being answered goes with the next question."""

    def __init__(self, reads: Reads, at_once: int) -> None:
        self._reads = reads
        self._at_once = at_once
        self._waiting: dict[UUID, asyncio.Future[State]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def of(self, user_id: UUID) -> State:
        future = self._waiting.get(user_id)
        if future is None:
            future = self._waiting[user_id] = asyncio.get_running_loop().create_future()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(future)  # others may wait for it as well

    async def _ask(self) -> None:
        while self._waiting:
            taken = {user_id: self._waiting.pop(user_id) for user_id in tuple(islice(self._waiting, self._at_once))}
            try:
                found = await states(self._reads, list(taken))
            except Exception as error:  # noqa: BLE001 - it goes on to whoever asked
                for future in taken.values():
                    future.set_exception(error)
                    future.exception()  # seen, though who waited may be gone
            else:
                for user_id, future in taken.items():
                    future.set_result(found[user_id])
