"""Tags while tasks are written: no task keeps a word that is no tag."""

import asyncio
import itertools
import random

import pytest
from sqlalchemy import text

from grove.core.ids import new_id

pytestmark = pytest.mark.integration
TAGS, TASKS = "/api/v1/tags", "/api/v1/tasks"
WORDS = ["a", "b", "c"]
STRAYS = """SELECT t.id, w FROM tasks t, unnest(t.tags) w
            WHERE NOT EXISTS (SELECT FROM tags g WHERE g.user_id = t.user_id AND g.name = w)"""


@pytest.fixture
def me(issuer):
    return issuer.headers(new_id())


async def strays(resources) -> list:
    async with resources.engine.connect() as connection:
        return (await connection.execute(text(STRAYS))).all()


async def test_every_word_of_a_task_stays_a_tag_while_tags_come_and_go(client, me, resources):
    """Tasks get words, and lose them, while the same words are renamed and deleted."""
    dice = random.Random(7)  # noqa: S311 - the same words in each run
    answers = await asyncio.gather(*(client.post(TASKS, json={"title": "T", "tags": ["a"]}, headers=me) for _ in "123"))
    ids = [answer.json()["id"] for answer in answers]
    number = itertools.count()

    async def write() -> set[int]:
        statuses = set()
        for _ in range(40):
            tags = dice.sample(WORDS, dice.randint(0, 3))
            if dice.random() < 0.3:
                answer = await client.post(TASKS, json={"title": "T", "tags": tags}, headers=me)
            else:
                answer = await client.patch(f"{TASKS}/{dice.choice(ids)}", json={"tags": tags}, headers=me)
            statuses.add(answer.status_code)
        return statuses

    async def rename() -> set[int]:
        statuses = set()
        for _ in range(40):
            tags = (await client.get(TAGS, headers=me)).json()["items"]
            url = f"{TAGS}/{dice.choice(tags)['id']}" if tags else f"{TAGS}/{new_id()}"
            if dice.random() < 0.4:
                answer = await client.delete(url, headers=me)
            else:
                answer = await client.patch(url, json={"name": f"{dice.choice(WORDS)}{next(number)}"}, headers=me)
            statuses.add(answer.status_code)
        return statuses

    first = await asyncio.gather(write(), rename(), write(), rename(), write())
    assert set().union(*first) <= {200, 201, 204, 404, 409}
    assert await strays(resources) == []


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_task_that_gets_a_tag_is_waited_for(client, me, resources, method):
    """The tag is changed while the task that gets it is written but not committed."""
    tag = (await client.post(TAGS, json={"name": "home"}, headers=me)).json()
    task = (await client.post(TASKS, json={"title": "T"}, headers=me)).json()
    async with resources.engine.connect() as other:
        blocked = await other.begin()
        await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        writing = asyncio.create_task(client.patch(f"{TASKS}/{task['id']}", json={"tags": ["home"]}, headers=me))
        await asyncio.sleep(0.3)
        changing = asyncio.create_task(client.request(method, f"{TAGS}/{tag['id']}", json={"name": "new"}, headers=me))
        await asyncio.sleep(0.3)
        assert not writing.done()
        assert not changing.done()
        await blocked.rollback()
    assert ((await writing).status_code, (await changing).is_success) == (200, True)
    left = (await client.get(f"{TASKS}/{task['id']}", headers=me)).json()["tags"]
    assert left == (["new"] if method == "PATCH" else [])
    assert await strays(resources) == []


async def test_a_rename_and_a_bulk_that_gives_the_tag_to_more_tasks_do_not_wait_in_a_circle(client, me, resources):
    first, more = [
        (await client.post(TASKS, json={"title": "T", "tags": tags}, headers=me)).json()["id"]
        for tags in (["home"], [])
    ]
    [tag] = (await client.get(TAGS, headers=me)).json()["items"]
    operations = [
        {"op": "complete", "id": first},
        {"op": "update", "id": more, "data": {"tags": ["home"]}},
    ]
    async with resources.engine.connect() as other:
        blocked = await other.begin()
        await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        bulk = asyncio.create_task(client.post(f"{TASKS}/bulk", json={"operations": operations}, headers=me))
        await asyncio.sleep(0.3)
        rename = asyncio.create_task(client.patch(f"{TAGS}/{tag['id']}", json={"name": "new"}, headers=me))
        await asyncio.sleep(0.3)
        await blocked.rollback()
    assert ((await bulk).status_code, (await rename).status_code) == (200, 200)
    for task_id in (first, more):
        assert (await client.get(f"{TASKS}/{task_id}", headers=me)).json()["tags"] == ["new"]


async def test_a_rename_begins_anew_when_a_task_got_the_tag_while_it_waited(client, me, resources):
    """Or it would hold the tag and want a task, whose holder wants the tag."""
    tagged, late, more = [
        (await client.post(TASKS, json={"title": "T", "tags": tags}, headers=me)).json()["id"]
        for tags in (["home"], [], [])
    ]
    [tag] = (await client.get(TAGS, headers=me)).json()["items"]
    operations = [{"op": "complete", "id": late}, {"op": "update", "id": more, "data": {"tags": ["home"]}}]
    async with resources.engine.connect() as holder, resources.engine.connect() as other:
        held, blocked = await holder.begin(), await other.begin()
        await holder.execute(text("SELECT FROM tasks WHERE id = :id FOR UPDATE"), {"id": tagged})
        rename = asyncio.create_task(client.patch(f"{TAGS}/{tag['id']}", json={"name": "new"}, headers=me))
        await asyncio.sleep(0.3)
        assert (await client.patch(f"{TASKS}/{late}", json={"tags": ["home"]}, headers=me)).status_code == 200
        await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        bulk = asyncio.create_task(client.post(f"{TASKS}/bulk", json={"operations": operations}, headers=me))
        await asyncio.sleep(0.3)
        await held.rollback()
        await asyncio.sleep(0.3)
        await blocked.rollback()
    assert ((await bulk).status_code, (await rename).status_code) == (200, 200)
    for task_id in (tagged, late, more):
        assert (await client.get(f"{TASKS}/{task_id}", headers=me)).json()["tags"] == ["new"]
