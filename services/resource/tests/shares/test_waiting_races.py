"""Shares that wait for an address, while a recurring task makes its next one and its owner is told of."""

import asyncio

import pytest
from sqlalchemy import text

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"
DAILY = {"due_at": "2031-01-01T00:00:00Z", "recurrence": "FREQ=DAILY"}


@pytest.fixture
def roles(client):
    """In which role a person gets each task that is shared with them, by its completion."""

    async def roles(person) -> dict[bool, str]:
        items = (await client.get(f"{TASKS}?shared=with_me", headers=person.headers)).json()["items"]
        return {item["completed"]: item["role"] for item in items}

    return roles


@pytest.mark.parametrize("many", [False, True])
async def test_the_next_task_is_shared_with_who_verifies_the_address_meanwhile(
    client, ada, stranger, auth, make, share, roles, told, resources, until_waiting, many
):
    cyd = stranger()
    task = await make(ada, **DAILY)
    await share(ada, task, cyd.email, "editor")
    if many:
        body = {"operations": [{"op": "complete", "id": task["id"]}]}
        completing = client.post(f"{TASKS}/bulk", json=body, headers=ada.headers)
    else:
        completing = client.patch(f"{TASKS}/{task['id']}/complete", headers=ada.headers)
    async with resources.engine.connect() as other:
        blocked = await other.begin()
        await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        telling = asyncio.create_task(auth.registered(cyd))  # has bound the share, and is not committed
        await until_waiting(1)
        running = asyncio.create_task(completing)
        await until_waiting(2)
        await blocked.rollback()
    await telling
    assert (await running).status_code == 200
    assert await roles(cyd) == {True: "editor", False: "editor"}
    facts = await told("created", "completed")
    assert [fact["data"]["participants"] for fact in facts[-2:]] == [[str(cyd.id)]] * 2


async def test_an_address_is_told_of_behind_the_completion_that_copies_its_share(
    client, ada, stranger, auth, make, share, roles, resources, until_waiting
):
    cyd = stranger()
    task = await make(ada, **DAILY)
    await share(ada, task, cyd.email)
    async with resources.engine.connect() as other:
        blocked = await other.begin()
        await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        running = asyncio.create_task(client.patch(f"{TASKS}/{task['id']}/complete", headers=ada.headers))
        await until_waiting(1)
        telling = asyncio.create_task(auth.registered(cyd))
        await until_waiting(2)
        await blocked.rollback()
    await telling
    assert (await running).status_code == 200
    assert await roles(cyd) == {True: "viewer", False: "viewer"}


async def test_two_bulks_that_complete_tasks_which_wait_for_the_same_addresses_go_on(
    client, ada, make, share, resources, until_waiting
):
    emails = ["a@example.com", "b@example.com"]
    tasks = [await make(ada, **DAILY) for _ in range(4)]
    for number, task in enumerate(tasks):
        await share(ada, task, emails[number in (1, 2)])
    bulks = [{"operations": [{"op": "complete", "id": task["id"]} for task in some]} for some in (tasks[:2], tasks[2:])]
    async with resources.engine.connect() as other:
        blocked = await other.begin()
        await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        running = []
        for body in bulks:
            running.append(asyncio.create_task(client.post(f"{TASKS}/bulk", json=body, headers=ada.headers)))
            await until_waiting(len(running))
        await blocked.rollback()
    answers = [await each for each in running]
    assert [answer.status_code for answer in answers] == [200, 200]
    statuses = [result["status"] for answer in answers for result in answer.json()["results"]]
    assert statuses == [200] * 4
