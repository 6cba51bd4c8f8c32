"""Reading for one request, which may ask for thirty lists, from a pool that is everybody's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from grove.postgres.reads import Reads, Row, Statement
from grove_resource.graphql.room import Room

AT_ONCE = 3


class FewAtOnce(Reads):
    """Reads of which AT_ONCE run at once, while the others wait without a connection.

    Each raises AnswerTooLarge once those before it have taken all the room.
    """

    def __init__(self, reads: Reads, room: Room) -> None:
        self._reads = reads
        self._room = room
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def all(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Its rows."""
        async with self._allowed():
            return await self._reads.all(statement, **values)

    async def first(self, statement: Statement, **values: Any) -> Row | None:
        """Its first row, if there is one."""
        async with self._allowed():
            return await self._reads.first(statement, **values)

    async def scalar(self, statement: Statement, **values: Any) -> Any:
        """The first column of its first row, None without rows."""
        async with self._allowed():
            return await self._reads.scalar(statement, **values)

    @asynccontextmanager
    async def _allowed(self) -> AsyncIterator[None]:
        async with self._turn:
            self._room.take(0)
            yield
