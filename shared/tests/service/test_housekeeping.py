"""Forgetting: however much has piled up, and though a step of it fails."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from structlog.testing import capture_logs

from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import INBOX_DAYS, InboxRow
from grove.postgres.engine import create_engine
from grove.service import housekeeping
from grove.service.erasure import SWEPT_DAYS, ErasedUser, Erasure
from grove.service.housekeeping import Housekeeping
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove.web.idempotency import KEPT

pytestmark = pytest.mark.integration
OLD, AT_ONCE = 60, 5
STATEMENT_MS = 1500
"""60 rows take twice that, 5 rows a sixth of it."""
ERASURE = Erasure("resource", [IdempotencyKeyRow.user_id])


@pytest.fixture
async def hurried(settings):
    """Sessions whose statements have little time."""
    engine = create_engine(settings.model_copy(update={"database_statement_timeout_ms": STATEMENT_MS}))
    yield async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
    await engine.dispose()


@pytest.fixture
async def slowly(engine, sessions):
    """An inbox row or an idempotency key takes 50 ms to delete."""
    async with engine.begin() as connection:
        await connection.execute(delete(ErasedUser))
        await connection.execute(
            text(
                "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN PERFORM pg_sleep(0.05); RETURN OLD; END'"
            )
        )
        for table in ("inbox", "idempotency_keys"):
            trigger = f"CREATE TRIGGER slowly BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION slowly()"
            await connection.execute(text(trigger))
    yield
    async with engine.begin() as connection:
        await connection.execute(text("DROP FUNCTION slowly CASCADE"))


def key(user_id: UUID, *, age: timedelta) -> dict:
    about = {"fingerprint": b"", "status": 200, "headers": {}, "body": b""}
    return {"user_id": user_id, "key": str(new_id()), "created_at": now() - age, **about}


def applied(*, age: timedelta) -> dict:
    return {"event_id": new_id(), "applied_at": now() - age}


async def left(sessions, table) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def cleaned(sessions: async_sessionmaker[AsyncSession]) -> list[dict]:
    """What the log is told of it."""
    with capture_logs() as logs:
        await Housekeeping(sessions, ERASURE).clean()
    return [entry for entry in logs if entry["event"].startswith("housekeeping")]


async def test_more_than_one_statement_can_delete_is_forgotten(sessions, slowly, hurried, monkeypatch):
    monkeypatch.setattr(housekeeping, "AT_ONCE", AT_ONCE)
    second, days = timedelta(seconds=60), timedelta(days=INBOX_DAYS)
    async with sessions.begin() as session:
        ages = [*[days + second] * OLD, days - second]
        await session.execute(insert(InboxRow), [applied(age=age) for age in ages])
        ages = [*[KEPT + second] * OLD, KEPT - second]
        await session.execute(insert(IdempotencyKeyRow), [key(new_id(), age=age) for age in ages])
    assert await cleaned(hurried) == [
        {"event": "housekeeping", "log_level": "info", "inbox": OLD, "idempotency_keys": OLD, "of_erased_users": 0}
    ]
    assert (await left(sessions, InboxRow), await left(sessions, IdempotencyKeyRow)) == (1, 1)


async def test_a_step_that_fails_is_named_and_keeps_no_other_from_its_work(sessions, slowly, hurried):
    """All old inbox rows in one statement: that takes longer than it may."""
    ada = new_id()
    async with sessions.begin() as session:
        old = timedelta(days=INBOX_DAYS + 1)
        await session.execute(insert(InboxRow), [applied(age=old) for _ in range(OLD)])
        await session.execute(insert(IdempotencyKeyRow), [key(new_id(), age=KEPT * 2), key(ada, age=timedelta())])
        await session.execute(insert(ErasedUser), [{"user_id": ada, "erased_at": now()}])
    failed, done = await cleaned(hurried)
    assert (failed["event"], failed["step"], failed["exc_info"]) == ("housekeeping.failed", "inbox", True)
    assert done == {"event": "housekeeping", "log_level": "info", "idempotency_keys": 1, "of_erased_users": 1}
    assert (await left(sessions, InboxRow), await left(sessions, IdempotencyKeyRow)) == (OLD, 0)


async def test_the_sweep_looks_behind_the_tombstones_of_the_last_weeks(sessions, monkeypatch):
    """Several pages of them, with older ones between."""
    monkeypatch.setattr("grove.service.erasure._TOMBSTONES", 3)
    recent, old = [new_id() for _ in range(8)], [new_id() for _ in range(8)]
    young = timedelta(days=SWEPT_DAYS - 1)
    tombstones = [{"user_id": user, "erased_at": now() - young} for user in recent]
    tombstones += [{"user_id": user, "erased_at": now() - young - timedelta(days=2)} for user in old]
    async with sessions.begin() as session:
        await session.execute(delete(ErasedUser))
        await session.execute(insert(ErasedUser), tombstones)
        await session.execute(insert(IdempotencyKeyRow), [key(user, age=timedelta()) for user in [*recent, *old]])
    assert await ERASURE.sweep(sessions) == len(recent)
    async with sessions() as session:
        assert set(await session.scalars(select(IdempotencyKeyRow.user_id))) == set(old)
    assert await ERASURE.sweep(sessions) == 0
