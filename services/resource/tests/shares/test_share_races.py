"""Shares that come and go while others wait for the task: what counts is how it is when their turn comes."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"


@pytest.fixture
def behind(resources, until_waiting):
    """Lets one begin behind the other: the first has the task when the second wants it. What they were answered."""

    @asynccontextmanager
    async def behind(first, second):
        answers: list = []
        async with resources.engine.connect() as other:
            blocked = await other.begin()
            await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
            running = []
            for each in (first, second):
                running.append(asyncio.create_task(each))
                await until_waiting(len(running))
            await blocked.rollback()
        answers += [await each for each in running]
        yield answers

    return behind


@pytest.fixture
async def shared(ada, bob, make, share):
    """A task of Ada's that Bob may edit."""
    task = await make(ada, due_at="2031-01-01T00:00:00Z", recurrence="FREQ=DAILY")
    await share(ada, task, bob.email, "editor")
    return task


@pytest.fixture
def unshare(client, ada, shares_of):
    async def unshare(task: dict):
        [item] = await shares_of(ada, task)
        return client.delete(f"{TASKS}/{task['id']}/shares/{item['id']}", headers=ada.headers)

    return unshare


@pytest.mark.parametrize(
    ("method", "path", "request_body"),
    [
        ("PATCH", "", {"json": {"title": "Bob's"}}),
        ("PATCH", "/complete", {}),
        ("POST", "/reminders", {"json": {"minutes_before_due": 5}}),
        ("POST", "/bulk", {}),
        ("POST", "/attachments", {"files": {"file": ("a.txt", b"text")}}),
    ],
)
async def test_who_waits_for_a_task_that_is_shared_no_longer_changes_nothing(
    client, ada, bob, shared, unshare, behind, resources, method, path, request_body
):
    url = f"{TASKS}/{shared['id']}{path}"
    if path == "/bulk":
        url, request_body = f"{TASKS}/bulk", {"json": {"operations": [{"op": "complete", "id": shared["id"]}]}}
    late = client.request(method, url, headers=bob.headers, **request_body)
    async with behind(await unshare(shared), late) as (ended, answer):
        pass
    assert ended.status_code == 204
    status = answer.json()["results"][0]["status"] if path == "/bulk" else answer.status_code
    assert status == 403, answer.text
    assert (await client.get(f"{TASKS}/{shared['id']}", headers=ada.headers)).json() == shared
    async with resources.engine.connect() as connection:
        for table in ("reminders", "attachments"):
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608 - these two


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_who_is_left_out_meanwhile_hears_nothing_of_a_change(client, ada, shared, unshare, behind, told, method):
    change = client.request(method, f"{TASKS}/{shared['id']}", json={"title": "New"}, headers=ada.headers)
    async with behind(await unshare(shared), change) as answers:
        pass
    assert [answer.is_success for answer in answers] == [True, True]
    [fact] = await told("updated", "deleted")
    assert fact["data"]["participants"] == []


async def test_who_comes_in_meanwhile_hears_of_a_change(client, ada, bob, make, behind, told):
    task = await make(ada)
    url = f"{TASKS}/{task['id']}"
    sharing = client.post(f"{url}/shares", json={"email": bob.email, "role": "viewer"}, headers=ada.headers)
    async with behind(sharing, client.patch(url, json={"title": "New"}, headers=ada.headers)) as answers:
        pass
    assert [answer.status_code for answer in answers] == [202, 200]
    [fact] = await told("updated")
    assert fact["data"]["participants"] == [str(bob.id)]


@pytest.mark.parametrize("way", ["", "?permanent=true"])
async def test_events_of_what_is_below_name_who_it_is_shared_with_then(
    client, ada, bob, make, share, unshare, behind, told, way
):
    parent = await make(ada)
    child = await make(ada, parent_id=parent["id"])
    await share(ada, child, bob.email)
    deletion = client.delete(f"{TASKS}/{parent['id']}{way}", headers=ada.headers)
    async with behind(await unshare(child), deletion) as answers:
        pass
    assert [answer.status_code for answer in answers] == [204, 204]
    facts = await told("deleted")
    assert sorted(fact["subject"] for fact in facts) == sorted([parent["id"], child["id"]])
    assert [fact["data"]["participants"] for fact in facts] == [[], []]
