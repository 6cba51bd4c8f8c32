"""Reading: statements that change nothing, on the bare driver (docs/adr/0008)."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from sqlalchemy import Executable, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from grove.postgres.engine import ACQUIRE_SECONDS, DatabaseSettings, connection_arguments

log = structlog.get_logger()
tracer = trace.get_tracer("grove.postgres")

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call] # SQLAlchemy gives its constructor no types


class Row(asyncpg.Record):  # type: ignore[misc] # the driver has no types
    """A row whose columns are also attributes."""

    def __getattr__(self, name: str) -> Any:
        """A column. Raises AttributeError."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Statement:
    """A reading statement, compiled once. Its bind parameters are given by name at each run."""

    __slots__ = ("_defaults", "_names", "text")

    def __init__(self, statement: Executable | str) -> None:
        clause = text(statement) if isinstance(statement, str) else statement
        compiled = cast("SQLCompiler", clause.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}))  # type: ignore[attr-defined] # every statement can be compiled
        self.text = compiled.string
        self._names = tuple(compiled.positiontup or ())
        self._defaults = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the driver's order. Raises KeyError for one that is missing."""
        return [values[name] if name in values else self._defaults[name] for name in self._names]


class Reads:
    """A pool of read-only connections, each held only as long as its statement runs."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._slow = settings.slow_query_ms / 1000

    async def all(self, statement: Statement, **values: Any) -> Sequence[Row]:
        """Its rows."""
        async with self._running(statement) as connection:
            rows: Sequence[Row] = await connection.fetch(statement.text, *statement.arguments(values))
            return rows

    async def first(self, statement: Statement, **values: Any) -> Row | None:
        """Its first row, if there is one."""
        async with self._running(statement) as connection:
            row: Row | None = await connection.fetchrow(statement.text, *statement.arguments(values))
            return row

    async def scalar(self, statement: Statement, **values: Any) -> Any:
        """The first column of its first row, None without rows."""
        async with self._running(statement) as connection:
            return await connection.fetchval(statement.text, *statement.arguments(values))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.close()

    @asynccontextmanager
    async def _running(self, statement: Statement) -> AsyncIterator[Any]:
        pool = self._pool or await self._open()
        started = time.perf_counter()
        with tracer.start_as_current_span(
            "SELECT", kind=SpanKind.CLIENT, attributes={"db.system.name": "postgresql", "db.query.text": statement.text}
        ):
            async with asyncio.timeout(ACQUIRE_SECONDS):
                connection = await pool.acquire()
            try:
                yield connection
            finally:
                await pool.release(connection)
        took = time.perf_counter() - started
        if took >= self._slow:
            log.warning("database.slow_statement", milliseconds=round(took * 1000), statement=statement.text[:500])

    async def _open(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    **connection_arguments(self._settings, read_only=True),
                    min_size=0,
                    max_size=self._settings.database_pool_size,
                    record_class=Row,
                    reset=_leave_as_is,
                )
        return self._pool


async def _leave_as_is(_: object) -> None:
    """Reads leave nothing behind in their session, so that a round trip that resets it is saved."""
