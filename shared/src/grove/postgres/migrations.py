"""Running a service's Alembic migrations. They run as a step of their own, never at the start of a process."""

import asyncio
import importlib
from collections.abc import Callable
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, text

from grove.core.settings import load
from grove.postgres.engine import DatabaseSettings, create_engine

_ADVISORY_LOCK = 0x6D69


def migrate(settings_class: type[DatabaseSettings]) -> Callable[[], None]:
    """A command that brings the database to the newest revision."""

    def run() -> None:
        """Bring the database to the newest revision."""
        settings = load(settings_class)
        command.upgrade(config(settings), "head")

    return run


def config(settings: DatabaseSettings) -> Config:
    """Alembic's configuration; the script folder lies beside the service's `src`."""
    package = importlib.import_module(f"grove_{settings.service.replace('-', '_')}")
    if package.__file__ is None:
        raise RuntimeError(f"{package.__name__} has no files")
    root = Path(package.__file__).parents[2]
    found = Config(str(root / "alembic.ini"))
    found.set_main_option("script_location", str(root / "migrations"))
    found.attributes["settings"] = settings
    return found


def run_env(metadata: MetaData, settings_class: type[DatabaseSettings]) -> None:
    """The body of every `migrations/env.py`: one migration at a time, failing fast on locks."""
    settings = context.config.attributes.get("settings") or load(settings_class)

    def apply(connection: Connection) -> None:
        context.configure(
            connection=connection, target_metadata=metadata, compare_type=True, transaction_per_migration=True
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            context.run_migrations()

    async def run() -> None:
        engine = create_engine(settings, pool_size=1)
        async with engine.connect() as connection:
            await connection.run_sync(apply)
            await connection.commit()
        await engine.dispose()

    asyncio.run(run())
