"""Each reminder fires once, by however many workers, and although they are killed."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from grove.core.clock import now
from grove.core.ids import new_id
from grove_resource.models import Task
from grove_resource.reminders import firing as firing_module

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]
PROGRAM = Path(__file__).with_name("firing_process.py")
NAME = "firing-test"
NOW = "UPDATE reminders SET fires_at = now()"
WAITING = """SELECT count(*) FILTER (WHERE application_name = :name), count(*) FILTER (WHERE application_name <> :name)
FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO outbox%'"""


@pytest.fixture
def due(resources, run_sql):
    """Reminders whose time comes tomorrow, 20 for each task."""

    async def due(count: int) -> None:
        moment = now()
        async with resources.sessions.begin() as session:
            for _ in range(count // 20):
                session.add(Task(id=new_id(), user_id=new_id(), title="T", created_at=moment, updated_at=moment))
        await run_sql(
            """INSERT INTO reminders (id, task_id, user_id, at, fires_at, created_at)
            SELECT uuidv7(), tasks.id, user_id, now(), now() + interval '1 day', now()
            FROM tasks, generate_series(1, 20)"""
        )

    return due


@pytest.fixture
async def start(stores):
    """Starts real processes that fire, and gives their pids; those that are left are killed at the end."""
    environment = os.environ | stores.environment("resource") | {"INSTANCE": NAME}
    pipe = asyncio.subprocess.PIPE
    forker = await asyncio.create_subprocess_exec(sys.executable, PROGRAM, env=environment, stdin=pipe, stdout=pipe)
    running: list[int] = []

    async def start(count: int) -> list[int]:
        forker.stdin.write(b"\n" * count)
        pids = [int(await forker.stdout.readline()) for _ in range(count)]
        running.extend(pids)
        return pids

    yield start
    kill(running)
    forker.stdin.close()
    forker.kill()
    await forker.wait()
    forker._transport.close()


def kill(pids) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def until(condition, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def holding(resources):
    """How many of the started processes, and how many of this one's workers, have marked a batch and not told of it."""
    async with resources.engine.connect() as connection:  # its own: the workers take all others
        await connection.execution_options(isolation_level="AUTOCOMMIT")

        async def holding() -> tuple[int, int]:
            return tuple((await connection.execute(text(WAITING), {"name": NAME})).one())

        yield holding


@pytest.fixture
def left(run_sql):
    async def left() -> int:
        return (await run_sql("SELECT count(*) FROM reminders WHERE fired_at IS NULL")).scalar()

    return left


@pytest.fixture
def assert_each_once(facts, run_sql):
    async def assert_each_once(count: int) -> None:
        told = await facts("reminder_due")
        ids = {str(row.id) for row in await run_sql("SELECT id FROM reminders WHERE fired = 1")}
        assert Counter(fact.data["reminder_id"] for fact in told) == dict.fromkeys(ids, 1)
        assert (len(ids), {fact.sequence for fact in told}) == (count, {1})

    return assert_each_once


async def test_100_claims_at_once_beside_other_processes(
    resources, due, start, firing, holding, left, run_sql, assert_each_once, monkeypatch
):
    monkeypatch.setattr(firing_module, "BATCH", 5)  # more turns, and so more meetings
    await start(3)
    await due(1000)
    mine = 0

    async def worker() -> None:
        nonlocal mine
        while await left():
            fired = await firing.fire_batch()
            mine += fired

    async def both_hold() -> bool:
        theirs, ours = await holding()
        return theirs == 3 and ours > 0

    async with resources.engine.connect() as connection:
        await connection.execute(text("LOCK TABLE outbox IN EXCLUSIVE MODE"))
        await run_sql(NOW)
        workers = [asyncio.create_task(worker()) for _ in range(100)]
        await until(both_hold, 60)
    async with asyncio.timeout(60):
        await asyncio.gather(*workers)
    assert 0 < mine < 1000, "both kinds of workers had a part"
    await assert_each_once(1000)


async def test_workers_killed_in_the_middle_lose_and_double_nothing(
    resources, due, start, holding, left, run_sql, assert_each_once
):
    await due(3000)
    await run_sql(NOW)

    async def held() -> bool:
        return await holding() == (3, 0)

    # All three stand between marking their batch and writing its events when they die.
    async with resources.engine.connect() as connection:
        await connection.execute(text("LOCK TABLE outbox IN EXCLUSIVE MODE"))
        pids = await start(3)
        await until(held, 60)
        kill(pids)
    assert await left() == 3000
    # And then at any moment.
    amid = 0
    for number in range(4):
        before = await left()
        pids = await start(2)

        async def begun(before=before) -> bool:
            return await left() < before

        await until(begun, 60)
        await asyncio.sleep(0.013 * number)
        kill(pids)
        amid += await left() > 0
    assert amid >= 2, "they were killed while there was work"
    await start(1)

    async def none_left() -> bool:
        return await left() == 0

    await until(none_left, 60)
    await assert_each_once(3000)
