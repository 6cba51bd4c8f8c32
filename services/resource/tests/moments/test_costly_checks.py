"""Checks that take long: who waits for one keeps no connection, and one user's keep nobody else waiting."""

import asyncio
import json
import signal

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove_resource.activities.data_schemas import process, turns

pytestmark = pytest.mark.integration
ACTIVITIES, MOMENTS, TASKS = "/api/v1/activities", "/api/v1/moments", "/api/v1/tasks"
NOON = "2026-03-01T12:00:00Z"
SECONDS = 60
"""How long a test waits for what must come."""


def costly(least: int) -> dict:
    """Data under it is never checked at once."""
    branches = [{"minimum": least + i} for i in range(450)]
    return {"type": "object", "properties": {"mood": {"type": "integer", "anyOf": branches}}}


@pytest.fixture
async def stopped(resources, monkeypatch):
    """Stop the checking process; it goes on when that is called once more, or at the end."""
    monkeypatch.setattr(turns, "TURN_SECONDS", SECONDS)
    monkeypatch.setattr(process, "ANSWER_SECONDS", SECONDS)
    checks = resources.data_checks
    await checks.check_schema({"type": "object"})
    pid = checks._process._process.pid

    class Stopped:
        @staticmethod
        def stop() -> None:
            checks._process._process.send_signal(signal.SIGSTOP)

        @staticmethod
        def go_on() -> None:
            checks._process._process.send_signal(signal.SIGCONT)

    yield Stopped
    if checks._process._process is not None and checks._process._process.pid == pid:
        Stopped.go_on()


@pytest.fixture
def waiting(resources):
    async def waiting(count: int) -> None:
        """Returns when so many wait for the checking process."""
        async with asyncio.timeout(SECONDS):
            while resources.data_checks._process._turns._waiting.total() != count:
                await asyncio.sleep(0.01)

    return waiting


def moment(activity: dict, mood: int = 5) -> dict:
    return {"activity_id": activity["id"], "occurred_at": NOON, "data": {"mood": mood}}


@pytest.mark.parametrize("keys", [False, True], ids=["plain", "with keys"])
async def test_20_costly_logs_of_one_user_hold_up_nobody_else(
    client, me, define, issuer, resources, stopped, waiting, keys
):
    other = issuer.headers(new_id())
    easy, slow = await define(headers=other), await define(costly(1))
    await client.post(MOMENTS, json=moment(easy), headers=other)
    stopped.stop()
    sent = [
        asyncio.create_task(
            client.post(MOMENTS, json=moment(slow), headers=me | ({"Idempotency-Key": str(i)} if keys else {}))
        )
        for i in range(20)
    ]
    await waiting(turns.MAX_OF_USER)
    async with asyncio.timeout(SECONDS):
        while sum(task.done() for task in sent) < 20 - turns.MAX_OF_USER:
            await asyncio.sleep(0.01)
    assert resources.engine.pool.checkedout() == 0
    task = await client.post(TASKS, json={"title": "Plant"}, headers=other)
    small = await client.post(MOMENTS, json=moment(easy), headers=other)
    assert (task.status_code, small.status_code) == (201, 201)
    stopped.go_on()
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [201] * turns.MAX_OF_USER + [429] * 12
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 429)
    again = await client.post(MOMENTS, json=moment(slow), headers=me)
    assert again.status_code == 201


async def test_costly_schemas_and_changes_keep_no_connection_either(
    client, me, define, log, resources, stopped, waiting
):
    logged, strays = await log(await define(costly(1))), await log(await define())
    activity, target = await define(), await define(costly(2))
    stopped.stop()
    key = me | {"Idempotency-Key": "k"}
    sent = [
        client.post(ACTIVITIES, json={"name": "x", "data_schema": costly(1)}, headers=key),
        client.patch(f"{ACTIVITIES}/{activity['id']}", json={"data_schema": costly(1)}, headers=me),
        client.put(
            f"{ACTIVITIES}/{activity['id']}",
            json={"name": "x", "description": "", "data_schema": costly(1)},
            headers=me,
        ),
        client.patch(f"{MOMENTS}/{logged['id']}", json={"data": {"mood": 7}}, headers=me),
        client.patch(f"{MOMENTS}/{strays['id']}", json={"activity_id": target["id"]}, headers=me),
    ]
    tasks = [asyncio.create_task(one) for one in sent]
    await waiting(len(tasks))
    assert resources.engine.pool.checkedout() == 0
    stopped.go_on()
    assert [answer.status_code for answer in await asyncio.gather(*tasks)] == [201, 200, 200, 200, 200]


async def test_data_is_checked_again_when_the_schema_changed_meanwhile(
    client, me, define, log, resources, stopped, waiting
):
    activity = await define(costly(1))
    stray = await log(await define())
    stopped.stop()
    sent = [
        client.post(MOMENTS, json=moment(activity), headers=me),
        client.post(MOMENTS, json=moment(activity, 9), headers=me),
        client.patch(f"{MOMENTS}/{stray['id']}", json={"activity_id": activity["id"]}, headers=me),
    ]
    tasks = [asyncio.create_task(one) for one in sent]
    await waiting(len(tasks))
    async with resources.engine.begin() as connection:
        values = {"id": activity["id"], "schema": json.dumps(costly(6))}
        await connection.execute(
            text("UPDATE activities SET schema_version = 2, data_schema = :schema WHERE id = :id"), values
        )
        await connection.execute(text("INSERT INTO activity_versions VALUES (:id, 2, :schema, now())"), values)
    stopped.go_on()
    answers = await asyncio.gather(*tasks)
    assert [answer.status_code for answer in answers] == [422, 201, 422]
    assert answers[1].json()["schema_version"] == 2


async def test_a_turn_that_does_not_come_is_a_503_that_says_when_to_try_again(
    client, me, define, stopped, waiting, monkeypatch
):
    activity = await define(costly(1))
    stopped.stop()
    first = asyncio.create_task(client.post(MOMENTS, json=moment(activity), headers=me))
    await waiting(1)
    monkeypatch.setattr(turns, "TURN_SECONDS", 1)
    late = await client.post(MOMENTS, json=moment(activity), headers=me)
    assert (late.status_code, late.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert late.headers["retry-after"] == "1"
    stopped.go_on()
    assert (await first).status_code == 201


async def test_a_repeated_log_is_answered_as_before_under_another_schema(client, me, define):
    activity = await define(costly(1))
    url, key = f"{ACTIVITIES}/{activity['id']}", me | {"Idempotency-Key": "k"}
    first = await client.post(MOMENTS, json=moment(activity), headers=key)
    await client.patch(url, json={"data_schema": costly(6)}, headers=me)
    again = await client.post(MOMENTS, json=moment(activity), headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (await client.post(MOMENTS, json=moment(activity), headers=me)).status_code == 422


async def test_a_small_log_reads_nothing_beside_its_transaction(client, me, define, log, monkeypatch):
    activity = await define()
    await log(activity)
    queries = "grove_resource.moments.repository.MomentQueries.present_schema"
    monkeypatch.setattr(queries, lambda *_: pytest.fail("the schema was read twice"))
    await log(activity)


GRAPHQL = """mutation($id: ID!) { logMoment(input: {activityId: $id, occurredAt: "2026-03-01T12:00:00Z",
    data: {mood: 5}}) { moment { uuid } } }"""


async def test_those_in_a_transaction_leave_connections_for_others(
    client, me, define, issuer, resources, stopped, waiting
):
    """One request of GraphQL is one transaction, which may be open already when it comes to a check."""
    users = [issuer.headers(new_id()) for _ in range(3)]
    activities = [await define(costly(1), headers=user) for user in users]
    stopped.stop()
    sent = [
        asyncio.create_task(
            client.post("/graphql", json={"query": GRAPHQL, "variables": {"id": activity["id"]}}, headers=user)
        )
        for user, activity in zip(users, activities, strict=True)
        for _ in range(6)
    ]
    await waiting(turns.MAX_IN_TRANSACTIONS)
    async with asyncio.timeout(SECONDS):
        while sum(task.done() for task in sent) < len(sent) - turns.MAX_IN_TRANSACTIONS:
            await asyncio.sleep(0.01)
    assert resources.engine.pool.checkedout() == turns.MAX_IN_TRANSACTIONS
    assert (await client.post(TASKS, json={"title": "Plant"}, headers=me)).status_code == 201
    stopped.go_on()
    answers = [(await task).json() for task in sent]
    errors = [answer["errors"][0]["extensions"] for answer in answers if answer.get("errors")]
    assert len(answers) - len(errors) == turns.MAX_IN_TRANSACTIONS
    assert {error["status"] for error in errors} == {429, 503}
    assert all(error["retry_after"] >= 1 for error in errors)
