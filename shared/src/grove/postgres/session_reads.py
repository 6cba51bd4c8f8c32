"""Reading within a transaction that also changes something."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.reads import Reads, Row, Statement


class SessionReads(Reads):
    """Reads that see what their session has changed.

    They take turns on its one connection. Each has a savepoint, so that one that fails does not undo the changes.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._turn = asyncio.Lock()

    async def all(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Its rows."""
        return cast("Sequence[Row]", (await self._run(statement, values)).all())

    async def first(self, statement: Statement, **values: Any) -> Row | None:
        """Its first row, if there is one."""
        return cast("Row | None", (await self._run(statement, values)).first())

    async def scalar(self, statement: Statement, **values: Any) -> Any:
        """The first column of its first row, None without rows."""
        return (await self._run(statement, values)).scalar()

    async def _run(self, statement: Statement, values: dict[str, Any]) -> CursorResult[*tuple[Any, ...]]:
        async with self._turn, self._session.begin_nested():
            connection = await self._session.connection()
            return await connection.exec_driver_sql(statement.text, tuple(statement.arguments(values)))
