"""What a run's end tells others of it: users are told of a success they wait for, however it came about."""

import json
from typing import Any

import pytest
from sqlalchemy import text, update

from grove.core.clock import now
from grove_provider_sync.models import Connection
from grove_provider_sync.sync.jobs import Scheduler

pytestmark = pytest.mark.integration


@pytest.fixture
def facts(resources):
    """The facts about runs and recoveries: (kind, trigger, after_failure)."""

    async def facts() -> list[tuple[Any, ...]]:
        rows = (
            "SELECT body FROM outbox WHERE type LIKE 'provider_sync.run.%' OR type LIKE '%recovered%' ORDER BY position"
        )
        async with resources.engine.connect() as connection:
            told = [json.loads(row.body) for row in await connection.execute(text(rows))]
        return [
            (each["type"].split(".")[2], each["data"].get("trigger"), each["data"].get("after_failure"))
            for each in told
        ]

    return facts


@pytest.fixture
def scheduled(resources):
    """A run of the connection is due, and queued."""

    async def scheduled() -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(Connection).values(next_sync_at=now()))
        assert await Scheduler(resources)._schedule_due() == 1

    return scheduled


async def test_a_success_after_a_failure_that_was_told_is_told(user, runner, world, facts, scheduled):
    await world.post("/control/faults", json={"path": "/api/accounts", "status": 404, "times": 1})
    connection = await user.connect()
    await runner.run(connection["id"])
    await scheduled()
    await runner.run(connection["id"])
    await scheduled()
    await runner.run(connection["id"])
    assert await facts() == [
        ("failed", "initial", None),
        ("completed", "scheduled", True),
        ("recovered", None, None),
        ("completed", "scheduled", False),
    ]


async def test_a_success_after_a_failure_that_nobody_heard_of_is_not(user, runner, world, facts, scheduled):
    connection = await user.connect()
    await runner.run(connection["id"])
    await world.post("/control/faults", json={"path": "/api/accounts", "status": 404, "times": 1})
    for _ in range(2):
        await scheduled()
        await runner.run(connection["id"])
    assert await facts() == [
        ("completed", "initial", False),
        ("failed", "scheduled", None),
        ("completed", "scheduled", False),
    ]


async def test_a_run_that_waits_becomes_its_users_when_they_ask_for_one(user, runner, facts, scheduled):
    connection = await user.connect()
    await runner.run(connection["id"])
    await scheduled()
    assert (await user.call("POST", f"/connections/{connection['id']}/sync")).status_code == 202
    await runner.run(connection["id"])
    assert [each[:2] for each in await facts()] == [("completed", "initial"), ("completed", "user")]
    runs = (await user.call("GET", f"/connections/{connection['id']}/sync-runs")).json()["items"]
    assert [each["trigger"] for each in runs] == ["user", "initial"]


async def test_the_first_run_stays_the_first_when_its_user_asks_for_one(user, runner, facts):
    connection = await user.connect()
    assert (await user.call("POST", f"/connections/{connection['id']}/sync")).status_code == 202
    await runner.run(connection["id"])
    assert [each[:2] for each in await facts()] == [("completed", "initial")]
