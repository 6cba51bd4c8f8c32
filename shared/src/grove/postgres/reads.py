"""Reading: statements that change nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncEngine

from grove.postgres.base import AnyRow

Values = Mapping[str, Any]
"""Values for a statement's bind parameters."""


class Reads:
    """Each statement runs on an autocommit connection that is held only as long as it runs."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def all(self, statement: Executable, values: Values | None = None) -> Sequence[AnyRow]:
        """Its rows."""
        async with self._engine.connect() as connection:
            return (await connection.execute(statement, values)).all()

    async def first(self, statement: Executable, values: Values | None = None) -> AnyRow | None:
        """Its first row, if there is one."""
        async with self._engine.connect() as connection:
            return (await connection.execute(statement, values)).first()

    async def scalar(self, statement: Executable, values: Values | None = None) -> Any:
        """The first column of its first row, None without rows."""
        async with self._engine.connect() as connection:
            return await connection.scalar(statement, values)
