"""Bulks that meet: none waits for another in a circle, whatever they share."""

import asyncio

import pytest
from sqlalchemy import text

from grove.core.ids import new_id

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"


@pytest.fixture
def me(issuer):
    return issuer.headers(new_id())


@pytest.fixture
def make(client, me):
    async def make(title: str = "T", **fields) -> str:
        answer = await client.post(TASKS, json={"title": title, **fields}, headers=me)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    return make


@pytest.fixture
def meet(client, me):
    """Run these side by side; the statuses of all their operations."""

    async def meet(*bulks: list[dict]) -> set[int]:
        answers = await asyncio.gather(
            *(client.post(f"{TASKS}/bulk", json={"operations": each}, headers=me) for each in bulks)
        )
        assert [answer.status_code for answer in answers] == [200] * len(bulks), [
            answer.text[:300] for answer in answers
        ]
        return {result["status"] for answer in answers for result in answer.json()["results"]}

    return meet


async def test_two_who_change_the_same_tasks_in_opposite_order(make, meet):
    ids = [await make() for _ in range(50)]
    for number in range(10):
        change = [{"op": "update", "id": task_id, "data": {"title": f"v{number}"}} for task_id in ids]
        turn = [{"op": "complete", "id": task_id} for task_id in ids[::-1]]
        assert await meet(change, turn) == {200}


async def test_two_who_bring_the_same_new_tags_in_opposite_order(meet):
    for number in range(6):
        tags = [f"t{number}-{n}" for n in range(15)]
        bring = [{"op": "create", "data": {"title": "T", "tags": [tag]}} for tag in tags]
        assert await meet(bring, bring[::-1], bring) == {201}


async def test_some_who_change_subtasks_delete_what_is_above_and_add_below(make, meet):
    parents = [await make() for _ in range(8)]
    children = [await make(parent_id=parents[n % 8]) for n in range(32)]
    for _ in range(6):
        away = [{"op": op, "id": parent} for parent in parents for op in ("delete", "restore")]
        change = [{"op": "complete", "id": child} for child in children[::-1]]
        below = [{"op": "create", "data": {"title": "new", "parent_id": parent}} for parent in parents[::-1]]
        mixed = [{"op": "complete", "id": parents[-1]}, *below[:4], {"op": "complete", "id": parents[0]}]
        assert await meet(away, change, below, mixed) <= {200, 201, 204}


async def test_a_subtask_older_than_its_parent_is_locked_before_it(client, me, make, resources):
    child, parent, other = await make(), await make(), await make()
    moved = await client.patch(f"{TASKS}/{child}", json={"parent_id": parent}, headers=me)
    assert moved.status_code == 200
    bulks = (
        [{"op": "complete", "id": other}, {"op": "delete", "id": parent}],
        [{"op": "complete", "id": child}, {"op": "complete", "id": parent}],
    )
    async with resources.engine.connect() as connection:
        blocked = await connection.begin()
        await connection.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        running = []
        for operations in bulks:
            body = {"operations": operations}
            running.append(asyncio.create_task(client.post(f"{TASKS}/bulk", json=body, headers=me)))
            await asyncio.sleep(0.3)
        await blocked.rollback()
    first, second = [await answer for answer in running]
    assert [result["status"] for result in first.json()["results"]] == [200, 204]
    assert [result["status"] for result in second.json()["results"]] == [400, 400]
