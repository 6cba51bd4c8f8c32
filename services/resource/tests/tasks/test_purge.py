"""Deleted tasks go for good after a time; a live one never goes with them."""

import asyncio
import contextlib
import json
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from grove.core.clock import now
from grove.core.ids import new_id
from grove_resource.models import Task
from grove_resource.tasks import purge as purge_module
from grove_resource.tasks.deleted import DeletedTasks
from grove_resource.tasks.purge import Purge

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)


@pytest.fixture
def plant(resources):
    """Adds a task that was deleted so many days ago, None: not at all."""
    user = new_id()

    async def plant(days: float | None, parent=None):
        task_id, moment = new_id(), now()
        row = Task(
            id=task_id,
            user_id=user,
            parent_id=parent,
            title="T",
            deleted_at=None if days is None else moment - days * DAY,
            created_at=moment,
            updated_at=moment,
        )
        async with resources.sessions.begin() as session:
            session.add(row)
        return task_id

    return plant


@pytest.fixture
def left(resources):
    async def left() -> dict:
        async with resources.engine.connect() as connection:
            rows = await connection.execute(text("SELECT id, parent_id FROM tasks"))
            return {row.id: row.parent_id for row in rows}

    return left


@pytest.fixture
def told(resources):
    """(type, task, permanent) of all events."""

    async def told() -> list[tuple]:
        async with resources.engine.connect() as connection:
            bodies = (await connection.execute(text("SELECT body FROM outbox ORDER BY position"))).scalars()
            found = [json.loads(bytes(body)) for body in bodies]
        return [(each["type"].split(".")[2], each["data"]["task_id"], each["sequence"]) for each in found]

    return told


@pytest.fixture
def purge(resources):
    return Purge(resources.sessions, days=30)


async def test_what_was_deleted_long_ago_goes_and_is_told(purge, plant, left, told):
    old, fresh, live = await plant(31), await plant(29), await plant(None)
    assert await purge.purge() == 1
    assert set(await left()) == {fresh, live}
    assert await told() == [("deleted", str(old), 2)]
    assert await purge.purge() == 0


async def test_a_tree_goes_from_below_each_told_once(purge, plant, left, told, monkeypatch):
    monkeypatch.setattr(purge_module, "BATCH", 2)
    line = [await plant(40)]
    for _ in range(31):
        line.append(await plant(40, line[-1]))
    wide = [await plant(35, line[0]) for _ in range(5)]
    assert await purge.purge() == 37
    assert await left() == {}
    assert Counter(task for _, task, _ in await told()) == dict.fromkeys(map(str, line + wide), 1)


async def test_a_live_subtask_becomes_a_task_of_its_own(purge, plant, left, told):
    """Two changes at once can leave a live task below a deleted one; the foreign key's cascade would take it."""
    parent = await plant(40)
    gone, live = await plant(40, parent), await plant(None, parent)
    below = await plant(None, live)
    assert await purge.purge() == 2
    assert await left() == {live: None, below: live}
    assert sorted(await told()) == sorted(
        [
            ("updated", str(live), 2),
            ("deleted", str(parent), 2),
            ("deleted", str(gone), 2),
        ]
    )


async def test_a_subtask_deleted_later_is_kept_its_time_and_its_parent_with_it(purge, plant, left):
    parent = await plant(40)
    child = await plant(10, parent)
    assert await purge.purge() == 0
    assert await left() == {parent: None, child: parent}


async def test_what_is_restored_meanwhile_stays(resources, purge, plant, left):
    parent = await plant(40)
    child = await plant(40, parent)
    async with resources.sessions.begin() as session:
        await session.execute(text("SELECT id FROM tasks WHERE id = :id FOR UPDATE"), {"id": parent})
        assert await purge.purge() == 1  # passes over the parent, which is held
        await session.execute(text("UPDATE tasks SET deleted_at = NULL WHERE id = :id"), {"id": parent})
    assert await purge.purge() == 0
    assert child not in await left()
    assert set(await left()) == {parent}


async def test_a_live_subtask_that_arrives_meanwhile_does_not_vanish(purge, plant, left):
    """Whichever comes first: it becomes a task of its own, or its parent is gone and the foreign key refuses it."""
    arrived = []

    async def arrive(parent, delay: float) -> None:
        await asyncio.sleep(delay)
        with contextlib.suppress(IntegrityError):
            arrived.append(await plant(None, parent))

    for number in range(20):
        parent = await plant(40)
        await asyncio.gather(arrive(parent, number / 1000), purge.purge())
    await purge.purge()
    assert await left() == dict.fromkeys(arrived)


async def test_a_live_subtask_that_arrives_between_the_look_and_the_lock_is_kept(resources, plant, left):
    parent = await plant(40)
    async with resources.sessions.begin() as session:
        deleted = DeletedTasks(session)
        assert await deleted.lock_old(now() - 30 * DAY, 10) == [parent]
        arriving = asyncio.create_task(plant(None, parent))
        await asyncio.sleep(0.2)
        assert not arriving.done(), "it waits for the lock"
        assert len(await deleted.remove([parent])) == 1
    with pytest.raises(IntegrityError):
        await arriving
    parent = await plant(40)
    child = await plant(None, parent)
    async with resources.sessions.begin() as session:
        deleted = DeletedTasks(session)
        await deleted.lock_old(now() - 30 * DAY, 10)
        assert await deleted.remove([parent]) == []
    assert await left() == {parent: None, child: parent}


async def test_several_at_once_tell_each_once(purge, plant, left, told, monkeypatch):
    monkeypatch.setattr(purge_module, "BATCH", 5)
    tasks = [await plant(31) for _ in range(60)]
    counts = await asyncio.gather(*(purge.purge() for _ in range(6)))
    assert sum(counts) == 60
    assert await left() == {}
    assert Counter(task for _, task, _ in await told()) == dict.fromkeys(map(str, tasks), 1)
