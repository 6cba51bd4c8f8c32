"""How deep tasks lie below one another, and that none goes without a word when what is above it goes."""

import pytest
from sqlalchemy import text

pytestmark = pytest.mark.integration
MOST = 32


@pytest.fixture
def chain(plant):
    """Tasks below one another, the first one on top."""

    async def chain(length: int) -> list[str]:
        ids = [await plant()]
        while len(ids) < length:
            ids.append(await plant(ids[-1]))
        return ids

    return chain


@pytest.fixture
def left(resources):
    async def left() -> int:
        async with resources.engine.connect() as connection:
            return await connection.scalar(text("SELECT count(*) FROM tasks"))

    return left


async def test_what_is_below_a_moved_task_counts_too(call, plant, chain):
    upper, lower = await chain(20), await chain(20)
    await call("PATCH", f"/{lower[0]}", {"parent_id": upper[-1]}, 422)
    await call("PATCH", f"/{lower[0]}", {"parent_id": upper[12]}, 422)
    await call("PATCH", f"/{lower[0]}", {"parent_id": upper[11]})
    await call("POST", "", {"title": "T", "parent_id": lower[-1]}, 422)
    assert await plant(lower[-2])


@pytest.mark.parametrize("way", ["", "?permanent=true"])
async def test_tasks_that_lie_deeper_go_and_are_told_all_the_same(call, chain, resources, facts, left, way):
    upper, lower = await chain(MOST), await chain(MOST)
    async with resources.engine.begin() as connection:  # as moves could leave them, before their depth counted
        move = text("UPDATE tasks SET parent_id = :above WHERE id = :id")
        await connection.execute(move, {"above": upper[-1], "id": lower[0]})
    await call("DELETE", f"/{upper[0]}{way}", status=204)
    assert sorted(fact.subject for fact in await facts("deleted")) == sorted(upper + lower)
    assert await left() == (0 if way else 2 * MOST)
    assert (await call("GET", "?size=100")).json()["total"] == 0


async def test_a_task_that_arrives_far_below_while_a_tree_is_removed_is_told(call, chain, held_up, facts, left):
    line = await chain(3)
    requests = (
        ("POST", "", {"title": "late", "parent_id": line[-1]}),
        ("DELETE", f"/{line[0]}?permanent=true", None),
    )
    async with held_up("outbox", *requests) as statuses:
        pass
    assert statuses == [201, 204]
    assert await left() == 0
    [late] = [fact.subject for fact in await facts("created") if fact.data["title"] == "late"]
    assert sorted(fact.subject for fact in await facts("deleted")) == sorted([*line, late])
