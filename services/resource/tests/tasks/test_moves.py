"""Moves, completions and deletions that meet: no circle of tasks, and nobody waits in one."""

import pytest
from sqlalchemy import text

pytestmark = pytest.mark.integration
DAILY = {"due_at": "2031-03-29T08:00:00Z", "recurrence": "FREQ=DAILY"}
CIRCLES = """WITH RECURSIVE above AS (
    SELECT id, parent_id, 0 AS steps FROM tasks
    UNION ALL SELECT above.id, tasks.parent_id, steps + 1 FROM above JOIN tasks ON tasks.id = above.parent_id
    WHERE steps < 100
) SELECT count(*) FROM above WHERE steps = 100"""


def change(task: str, parent: str) -> tuple:
    return "PATCH", f"/{task}", {"parent_id": parent}


def bulk(*operations: dict) -> tuple:
    return "POST", "/bulk", {"operations": operations}


def moved(task: str, parent: str) -> dict:
    return {"op": "update", "id": task, "data": {"parent_id": parent}}


@pytest.mark.parametrize("many", [False, True])
async def test_two_moves_at_once_make_no_circle(plant, held_up, resources, many):
    a, c = await plant(), await plant()
    b, d = await plant(c), await plant(a)
    moves = [(a, b), (c, d)]
    requests = [bulk(moved(*move)) if many else change(*move) for move in moves]
    async with held_up("outbox", *requests) as statuses:
        pass
    assert statuses == ([200, 200] if many else [200, 422])
    async with resources.engine.connect() as connection:
        assert await connection.scalar(text(CIRCLES)) == 0


async def test_bulks_that_move_and_create_below_in_opposite_order_go_on(plant, held_up):
    a, b, c = [await plant() for _ in range(3)]
    first = bulk(moved(c, a), {"op": "create", "data": {"title": "T", "parent_id": b}})
    second = bulk(moved(b, c), {"op": "delete", "id": a, "permanent": True})
    async with held_up("outbox", first, second) as statuses:
        pass
    assert statuses == [200, 200]


@pytest.mark.parametrize("way", ["", "?permanent=true"])
async def test_a_completed_task_gets_its_next_one_while_what_is_above_goes(plant, held_up, facts, call, way):
    parent = await plant()
    child = await plant(parent, **DAILY)
    requests = [("PATCH", f"/{child}/complete", None), ("DELETE", f"/{parent}{way}", None)]
    async with held_up("reminders", *requests) as statuses:  # completing has the task, and not yet its next one
        pass
    assert statuses == [200, 204]
    assert (await call("GET")).json()["total"] == 0
    made = {fact.subject for fact in await facts("created")}
    assert sorted(fact.subject for fact in await facts("deleted")) == sorted(made)


async def test_two_bulks_that_change_what_is_above_and_complete_what_is_below_go_on(plant, held_up):
    above, other = await plant(), await plant()
    below = await plant(above, **DAILY)
    done = bulk({"op": "complete", "id": below})
    renamed = bulk(*({"op": "update", "id": task, "data": {"title": "New"}} for task in (other, above, below)))
    async with held_up("reminders", done, renamed) as statuses:
        pass
    assert statuses == [200, 200]


@pytest.mark.parametrize("way", ["", "?permanent=true"])
async def test_a_task_older_than_what_is_above_it_is_locked_first_by_its_deletion_too(plant, call, held_up, way):
    child, parent = await plant(), await plant()
    await call(*change(child, parent))
    both = bulk(*({"op": "update", "id": task, "data": {"title": "New"}} for task in (parent, child)))
    async with held_up("outbox", both, ("DELETE", f"/{parent}{way}", None)) as statuses:
        pass
    assert statuses == [200, 204]
