"""Access that ends by itself is told of ahead, each time once, and at its end."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from grove.core.clock import now
from grove.core.tasks import end
from grove.outbox.postgres import OutboxRow
from grove_provider_sync.connections import warnings as warnings_module
from grove_provider_sync.connections.warnings import AccessWarnings
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.resources import Resources

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)


@pytest.fixture
def warnings(resources) -> AccessWarnings:
    return AccessWarnings(resources)


@pytest.fixture
def ends(resources):
    """Has access end in that many days, given for that many."""

    async def ends(in_days: float, *, whole: float = 90, **values) -> None:
        reauth_by = now() + in_days * DAY
        given = {"reauth_by": reauth_by, "linked_at": reauth_by - whole * DAY} | values
        async with resources.sessions.begin() as session:
            await session.execute(update(Connection).values(**given))

    return ends


@pytest.fixture
def told(resources):
    """The facts that access ends or has ended: reason code and days left."""

    async def told() -> list[tuple[str, int | None]]:
        async with resources.sessions() as session:
            rows = await session.scalars(
                select(OutboxRow.body)
                .where(OutboxRow.type == "provider_sync.connection.needs_reauth.v1")
                .order_by(OutboxRow.position)
            )
            facts = [json.loads(body)["data"] for body in rows]
        return [(fact["reason_code"], fact["days_left"]) for fact in facts]

    return told


async def stands(user, connection) -> dict:
    return (await user.call("GET", f"/connections/{connection['id']}")).json()


async def test_users_are_told_7_3_and_1_days_ahead_once_each_and_at_the_end(user, warnings, ends, told):
    connection = await user.connect()
    for days in (8, 6.99, 5, 2.99, 1.5, 0.99, 0.2):
        await ends(days)
        for _ in range(2):
            await warnings.look()
    assert await told() == [("ends_soon", 7), ("ends_soon", 3), ("ends_soon", 1)]
    assert (await stands(user, connection))["status"] == "active"
    await ends(0)
    for _ in range(2):
        await warnings.look()
    assert (await told())[3:] == [("consent_ended", None)]
    found = await stands(user, connection)
    assert (found["status"], found["next_sync_at"]) == ("needs_reauth", None)
    assert found["status_detail"] == "The access you gave has ended. Reconnect to go on."


@pytest.mark.parametrize(
    ("whole", "expected"),
    [(7, [3, 1]), (7 + 30 / 86400, [3, 1]), (6.999, [3, 1]), (8, [7, 3, 1]), (3, [1]), (1, []), (0.1, [])],
)
async def test_nobody_is_warned_earlier_than_access_was_given(user, warnings, ends, told, whole, expected):
    await user.connect()
    for days in (6.99, 2.99, 0.99, 0.05):
        if days < whole:
            await ends(days, whole=whole)
            await warnings.look()
    assert await told() == [("ends_soon", days) for days in expected]


@pytest.mark.parametrize(("days", "left"), [(4.2, 5), (1.5, 2), (0.1, 1)])
async def test_a_worker_that_was_away_tells_the_nearest_only_and_how_long_it_is(user, warnings, ends, told, days, left):
    await user.connect()
    await ends(days)
    await warnings.look()
    await warnings.look()
    assert await told() == [("ends_soon", left)]


async def test_how_it_stands_says_until_when_whatever_comes_of_runs(
    user, warnings, ends, runner, world, calm, resources
):
    connection = await user.connect()
    await runner.run(connection["id"])
    await ends(2.5)
    async with resources.sessions() as session:
        day = await session.scalar(select(Connection.reauth_by))
    sentence = f"Access ends on {day.day} {day:%B %Y}. Reconnect before that to go on."
    await warnings.look()
    assert (await stands(user, connection))["status_detail"] == f"Up to date. {sentence}"
    await ends(0.5, warned_days=3, reauth_by=day)
    await warnings.look()
    assert (await stands(user, connection))["status_detail"] == f"Up to date. {sentence}"
    await user.call("POST", f"/connections/{connection['id']}/sync")
    await runner.run(connection["id"])
    assert (await stands(user, connection))["status_detail"] == f"Up to date. {sentence}"
    await user.call("POST", f"/connections/{connection['id']}/sync")
    await world.post("/control/faults", json={"path": "/api/accounts", "status": 404})
    await runner.run(connection["id"])
    found = await stands(user, connection)
    assert found["status"] == "error"
    assert found["status_detail"].endswith(f"It is tried again by itself. {sentence}")


async def test_at_the_end_an_open_run_ends_too(user, resources, warnings, ends, told):
    connection = await user.connect()
    await ends(-0.01)
    await warnings.look()
    assert await told() == [("consent_ended", None)]
    async with resources.sessions() as session:
        run = await session.scalar(select(SyncRun))
    assert (str(run.connection_id), run.status, run.error_code) == (connection["id"], "failed", "consent_ended")


async def test_any_number_of_workers_tell_once(settings, offered, user, ends, told):
    await user.connect()
    others = [Resources(settings, offered) for _ in range(4)]
    await ends(2)
    await asyncio.gather(*(AccessWarnings(own).look() for own in others))
    await ends(-1)
    await asyncio.gather(*(AccessWarnings(own).look() for own in others))
    assert await told() == [("ends_soon", 2), ("consent_ended", None)]
    for own in others:
        await own.aclose()


@pytest.mark.parametrize("status", ["pending", "needs_reauth", "revoked"])
async def test_who_has_no_access_any_more_is_not_warned(user, warnings, ends, told, status):
    await user.connect()
    await ends(-1, status=status)
    assert await warnings.look() == 0
    assert await told() == []


async def test_access_given_anew_is_warned_of_anew(user, warnings, ends, told):
    connection = await user.connect()
    await ends(0.5)
    await warnings.look()
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    await user.callback(await user.consent(again["authorization_url"]))
    await ends(2.9)
    await warnings.look()
    assert await told() == [("ends_soon", 1), ("ends_soon", 3)]


async def test_the_job_looks_and_a_store_that_is_away_is_waited_for(user, warnings, ends, told, monkeypatch):
    monkeypatch.setattr(warnings_module, "LOOK_SECONDS", 0.01)
    whole = warnings_module._due

    async def away(*_):
        monkeypatch.setattr(warnings_module, "_due", whole)
        raise ConnectionRefusedError

    monkeypatch.setattr(warnings_module, "_due", away)
    await user.connect()
    await ends(0.5)
    running = asyncio.create_task(warnings.run())
    async with asyncio.timeout(10):
        while await told() == []:
            await asyncio.sleep(0.01)
    await end(running)
    assert await told() == [("ends_soon", 1)]
