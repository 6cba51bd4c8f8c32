"""The engine of a service's database."""

import time
from typing import Any

import asyncpg
import structlog
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from grove.core.settings import AppSettings, PostgresSettings

log = structlog.get_logger()


class DatabaseSettings(AppSettings, PostgresSettings):
    """What an engine needs to know."""


ACQUIRE_SECONDS = 5
"""How long a request waits for a connection of the pool."""

_AWAY: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    OSError,
)
_MAY_PASS: tuple[type[Exception], ...] = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
_NOT_ASKED: tuple[type[Exception], ...] = (PoolTimeout, asyncpg.InterfaceError)
STORE_ERRORS: tuple[type[Exception], ...] = (DBAPIError, *_NOT_ASKED, *_AWAY, *_MAY_PASS)


def is_lost(error: BaseException) -> bool:
    """Whether the error means that the database is away, rather than that it did not do this one statement.

    A statement that was cancelled because it took too long is no lost database: what asks for it may be at fault.
    """
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, InterfaceError) or isinstance(_cause(error), _AWAY)
    return isinstance(error, (*_NOT_ASKED, *_AWAY))


def is_unavailable(error: BaseException) -> bool:
    """Whether trying again in a moment can help: the database is away, or others held what the statement needed, or
    it took too long.
    """
    return is_lost(error) or isinstance(_cause(error), _MAY_PASS)


def _cause(error: BaseException) -> BaseException | None:
    """The driver's error."""
    if isinstance(error, DBAPIError):
        return error.orig.__cause__ if error.orig is not None else None
    return error


def connection_arguments(settings: DatabaseSettings, *, read_only: bool = False) -> dict[str, Any]:
    """How asyncpg connects. The password is read from its file at each connect, so a rotated one needs no restart."""
    name = settings.service.replace("-", "_")
    return {
        "host": settings.database_host,
        "port": settings.database_port,
        "user": settings.database_user or name,
        "database": settings.database_name or name,
        "password": lambda: settings.secrets.read("database_password"),
        "timeout": 5,
        "server_settings": {
            "application_name": settings.instance or settings.service,
            "statement_timeout": str(settings.database_statement_timeout_ms),
            "idle_in_transaction_session_timeout": "60000",
            "default_transaction_read_only": "on" if read_only else "off",
            # Reads are few statements, prepared once: planning each anew takes longer than running it.
            "plan_cache_mode": "force_generic_plan" if read_only else "auto",
            "timezone": "UTC",
        },
    }


def create_engine(settings: DatabaseSettings, *, pool_size: int | None = None) -> AsyncEngine:
    """The engine for changes."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        pool_size=pool_size or settings.database_pool_size,
        max_overflow=5,
        pool_timeout=ACQUIRE_SECONDS,
        pool_recycle=1800,
        hide_parameters=True,  # errors are logged, and values may name people
        connect_args=connection_arguments(settings),
    )
    # It declares an older SQLAlchemy; it traces 2.1 all the same (services/resource/tests/test_telemetry.py).
    if settings.otlp_endpoint:
        SQLAlchemyInstrumentor().instrument(engine=engine.sync_engine, skip_dep_check=True)
    _log_slow_statements(engine, settings.slow_query_ms)
    _pass_over_closed(engine)
    return engine


def _pass_over_closed(engine: AsyncEngine) -> None:
    """After a restart of the database, the pool replaces what it closed instead of handing it to a request."""

    @event.listens_for(engine.sync_engine, "checkout")
    def checkout(connection: Any, _record: Any, _proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise DisconnectionError("the database closed this connection")


def _log_slow_statements(engine: AsyncEngine, threshold_ms: int) -> None:
    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def before(_c: Any, _cur: Any, _s: str, _p: Any, context: Any, _many: bool) -> None:
        context.grove_started = time.perf_counter()

    @event.listens_for(engine.sync_engine, "after_cursor_execute")
    def after(_c: Any, _cur: Any, statement: str, _p: Any, context: Any, _many: bool) -> None:
        took = (time.perf_counter() - context.grove_started) * 1000
        if took >= threshold_ms:
            log.warning("database.slow_statement", milliseconds=round(took), statement=statement[:500])
