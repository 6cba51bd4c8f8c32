"""Accounts and activities with more rows than one statement can delete in its time."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.contracts.auth import UserDeleted
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove.outbox.postgres import PostgresInbox
from grove.postgres.engine import create_engine
from grove.service import erasure
from grove.testing.postgres import outbox_types
from grove_resource.activities import repository
from grove_resource.consumers import handlers
from grove_resource.users.erasure import ERASURE

pytestmark = pytest.mark.integration
ADA, BOB = new_id(), new_id()
ROWS, AT_ONCE = 60, 5
STATEMENT_MS = 1500
"""60 rows take longer than that, 5 rows a sixth of it."""


@pytest.fixture
async def slowly(resources):
    """A moment takes 50 ms to delete."""
    async with resources.engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN PERFORM pg_sleep(0.05); RETURN OLD; END'"
            )
        )
        await connection.execute(
            text("CREATE TRIGGER slowly BEFORE DELETE ON moments FOR EACH ROW EXECUTE FUNCTION slowly()")
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
def fill(client, issuer, resources):
    async def fill(user_id, rows: int) -> str:
        body = {"name": "Diary", "data_schema": {"type": "object"}}
        answer = await client.post("/api/v1/activities", json=body, headers=issuer.headers(user_id))
        async with resources.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, "
                    "updated_at) SELECT gen_random_uuid(), user_id, id, 1, now(), '{}', now(), now() "
                    "FROM activities, generate_series(1, :rows) WHERE id = :id"
                ),
                {"rows": rows, "id": answer.json()["id"]},
            )
        return answer.json()["id"]

    return fill


@pytest.fixture
def left(resources):
    async def left(table: str = "moments") -> int:
        async with resources.engine.connect() as connection:
            return await connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a name of a test

    return left


def deletion(resources):
    return handlers(resources).parse(outbox_event("auth", UserDeleted(user_id=ADA, deleted_at=now()), sequence=4).body)


async def test_an_account_with_many_rows_is_erased_and_told_once(resources, slowly, hurried, fill, left, monkeypatch):
    monkeypatch.setattr(erasure, "AT_ONCE", AT_ONCE)
    await fill(ADA, ROWS)
    await fill(BOB, 2)
    work = deletion(resources)
    assert await PostgresInbox(hurried).apply([work]) == [work]
    assert (await left(), await left("activities"), await left("erased_users")) == (2, 1, 1)
    assert (await outbox_types(resources.engine)).count("resource.user.erased.v1") == 1


async def test_a_try_that_fails_tells_nothing_and_leaves_less_for_the_next(resources, fill, left, monkeypatch):
    monkeypatch.setattr(erasure, "AT_ONCE", AT_ONCE)
    await fill(ADA, ROWS)
    work = deletion(resources)
    async with resources.engine.connect() as holder:
        await holder.execute(text("SELECT 1 FROM moments LIMIT 3 FOR UPDATE"))
        trying = asyncio.create_task(resources.inbox.apply([work]))
        async with resources.engine.connect() as connection, asyncio.timeout(60):
            blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not await connection.scalar(blocked):
                await asyncio.sleep(0.02)
        trying.cancel()
        await asyncio.wait([trying])
    assert (await left(), await left("erased_users")) == (3, 0)
    assert "resource.user.erased.v1" not in await outbox_types(resources.engine)
    assert await resources.inbox.apply([work]) == [work]
    assert (await left(), await left("erased_users")) == (0, 1)
    assert (await outbox_types(resources.engine)).count("resource.user.erased.v1") == 1


async def test_what_waits_for_the_transaction_that_erases_fails_soon_and_not_as_a_lost_store(
    resources, client, issuer, monkeypatch
):
    """As where a batch erases two people who share a task: each is then tried alone."""
    monkeypatch.setattr(erasure, "AT_ONCE", AT_ONCE)
    made = [
        await client.post("/api/v1/tasks", json={"title": "T", "remind_at": "2099-01-01T00:00:00Z"}, headers=headers)
        for headers in [issuer.headers(ADA)] * (AT_ONCE + 1)
    ]
    assert {answer.status_code for answer in made} == {201}
    async with resources.engine.connect() as holder:
        await holder.execute(text("SELECT 1 FROM reminders FOR UPDATE"))
        with pytest.raises(Exception, match="lock timeout"):
            await resources.inbox.apply([deletion(resources)])
    work = deletion(resources)
    assert await resources.inbox.apply([work]) == [work]


async def test_the_sweep_takes_many_rows_too(resources, slowly, hurried, fill, left, monkeypatch):
    work = deletion(resources)
    await resources.inbox.apply([work])
    await fill(ADA, ROWS)
    await fill(BOB, 2)
    monkeypatch.setattr(erasure, "AT_ONCE", AT_ONCE)
    assert await ERASURE.sweep(hurried) == ROWS + 1
    assert (await left(), await ERASURE.sweep(hurried)) == (2, 0)


async def test_an_activity_with_many_moments_is_deleted(resources, slowly, hurried, fill, left, monkeypatch):
    activity_id, other = await fill(ADA, ROWS), await fill(ADA, 2)
    monkeypatch.setattr(repository, "DELETED_AT_ONCE", AT_ONCE)
    async with hurried.begin() as session:
        activities = repository.ActivityRepository(session, ADA)
        await activities.remove(await activities.locked(activity_id))
    assert (await left(), await left("activities")) == (2, 1)
    async with hurried.begin() as session:
        activities = repository.ActivityRepository(session, ADA)
        await activities.remove(await activities.locked(other))
    assert (await left(), await left("activities")) == (0, 0)
