"""An account with more transactions than one statement can delete in its time."""

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.contracts.auth import UserDeleted
from grove.core.clock import now
from grove.outbox.event import outbox_event
from grove.outbox.postgres import PostgresInbox
from grove.postgres.engine import create_engine
from grove.service import erasure
from grove_provider_sync.connections import cleaning
from grove_provider_sync.connections.cleaning import ConnectionCleaning
from grove_provider_sync.consumers import handlers
from grove_provider_sync.models import Account, Connection, SyncRun, Transaction

pytestmark = pytest.mark.integration
STATEMENT_MS = 1500
"""120 rows take longer than that, 10 rows a sixth of it."""
AT_ONCE = 10


@pytest.fixture
async def slowly(resources):
    """A transaction takes 25 ms to delete."""
    async with resources.engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN PERFORM pg_sleep(0.025); RETURN OLD; END'"
            )
        )
        await connection.execute(
            text("CREATE TRIGGER slowly BEFORE DELETE ON transactions FOR EACH ROW EXECUTE FUNCTION slowly()")
        )
    yield
    async with resources.engine.begin() as connection:
        await connection.execute(text("DROP FUNCTION slowly CASCADE"))


@pytest.fixture
async def hurried(settings):
    """Sessions whose statements have little time."""
    engine = create_engine(settings.model_copy(update={"database_statement_timeout_ms": STATEMENT_MS}))
    yield async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
    await engine.dispose()


@pytest.fixture
def left(resources):
    async def left() -> list[int]:
        async with resources.sessions() as session:
            models = (Connection, Account, SyncRun, Transaction)
            return [await session.scalar(select(func.count()).select_from(model)) for model in models]

    return left


@pytest.fixture
async def connection(user, stranger, runner, slowly) -> dict:
    """One with 120 transactions, beside a stranger's."""
    for person in (stranger, user):
        connection = await person.connect()
        await runner.run(connection["id"])
    return connection


async def test_a_deleted_account_is_erased_in_pieces(user, connection, resources, hurried, left, monkeypatch):
    monkeypatch.setattr(erasure, "AT_ONCE", AT_ONCE)
    deleted = outbox_event("auth", UserDeleted(user_id=user.id, deleted_at=now()), sequence=4)
    work = handlers(resources).parse(deleted.body)
    assert await PostgresInbox(hurried).apply([work]) == [work]
    assert await left() == [1, 2, 1, 120]


async def test_a_removed_connection_is_erased_in_pieces(user, connection, resources, hurried, left, monkeypatch):
    monkeypatch.setattr(cleaning, "AT_ONCE", AT_ONCE)
    await user.call("DELETE", f"/connections/{connection['id']}")
    monkeypatch.setattr(resources, "sessions", hurried)
    assert await ConnectionCleaning(resources).erase_removed() == 1
    assert await left() == [1, 2, 1, 120]
