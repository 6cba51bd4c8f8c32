"""What is no longer needed of connections goes, and nothing else."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from grove.core.clock import now
from grove.core.ids import earliest_at, new_id
from grove.core.tasks import end
from grove_provider_sync.connections import cleaning as cleaning_module
from grove_provider_sync.connections.cleaning import ConnectionCleaning
from grove_provider_sync.models import (
    Account,
    Authorization,
    Balance,
    Connection,
    SyncRun,
    TokenRevocation,
    Transaction,
)
from grove_provider_sync.resources import Resources

pytestmark = pytest.mark.integration
DATA = (Connection, Account, Balance, Transaction, SyncRun)


@pytest.fixture
def cleaning(resources) -> ConnectionCleaning:
    return ConnectionCleaning(resources)


@pytest.fixture
def counted(resources):
    """How many rows each table has."""

    async def counted(*models) -> list[int]:
        async with resources.sessions() as session:
            return [await session.scalar(select(func.count()).select_from(model)) for model in models or DATA]

    return counted


@pytest.fixture
def change(resources):
    async def change(model, **values) -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(model).values(**values))

    return change


@pytest.fixture
def keeping(monkeypatch, resources):
    """An installation that keeps the data of removed connections."""
    kept = resources.settings.model_copy(update={"removed_connections": "keep"})
    monkeypatch.setattr(resources, "settings", kept)


async def test_a_removed_connection_is_hidden_at_once_and_erased_in_pieces(
    user, stranger, runner, cleaning, counted, monkeypatch
):
    monkeypatch.setattr(cleaning_module, "AT_ONCE", 25)
    for person in (user, stranger):
        await runner.run((await person.connect())["id"])
    [connection] = (await user.call("GET", "/connections")).json()["items"]
    one = f"/connections/{connection['id']}"
    assert await counted() == [2, 4, 4, 240, 2]
    assert (await user.call("DELETE", one)).status_code == 204
    assert (await user.call("GET", "/connections")).json() == {"items": []}
    assert (await user.call("GET", one)).status_code == 404
    assert await user.transactions() == {}
    assert (await user.call("DELETE", one)).status_code == 204
    assert await counted() == [2, 4, 4, 240, 2]
    assert await cleaning.erase_removed() == 1
    assert await counted() == [1, 2, 2, 120, 1]
    assert await cleaning.erase_removed() == 0
    assert len(await stranger.transactions()) == 120
    assert await counted(TokenRevocation) == [1], "the provider is told all the same"


async def test_a_run_under_way_at_a_removal_leaves_no_trace(user, runner, cleaning, counted, world):
    connection = await user.connect()
    await world.post("/control/faults", json={"path": "/api/transactions", "delay_seconds": 0.5})
    running = asyncio.create_task(runner.run(connection["id"]))
    async with asyncio.timeout(5):
        while (await counted(Account)) == [0]:  # its transactions are on their way
            await asyncio.sleep(0.01)
    await user.call("DELETE", f"/connections/{connection['id']}")
    await cleaning.erase_removed()
    await running
    assert await counted() == [0, 0, 0, 0, 0]


async def test_where_it_is_kept_it_stays_readable_and_a_later_removal_where_it_is_not_erases_it(
    user, runner, cleaning, counted, keeping, monkeypatch, resources
):
    connection = await user.connect()
    await runner.run(connection["id"])
    one = f"/connections/{connection['id']}"
    assert (await user.call("DELETE", one)).status_code == 204
    assert await cleaning.erase_removed() == 0
    assert (await user.call("GET", one)).json()["status"] == "revoked"
    assert len((await user.call("GET", "/accounts")).json()["items"]) == 2
    assert len(await user.transactions()) == 120
    assert (await user.call("POST", f"{one}/sync")).status_code == 400
    erasing = resources.settings.model_copy(update={"removed_connections": "erase"})
    monkeypatch.setattr(resources, "settings", erasing)
    assert (await user.call("DELETE", one)).status_code == 204
    assert await cleaning.erase_removed() == 1
    assert await counted() == [0, 0, 0, 0, 0]


async def test_several_workers_clean_at_once(settings, offered, user, runner, counted, monkeypatch):
    monkeypatch.setattr(cleaning_module, "AT_ONCE", 10)
    connection = await user.connect()
    await runner.run(connection["id"])
    await user.call("DELETE", f"/connections/{connection['id']}")
    others = [Resources(settings, offered) for _ in range(3)]
    await asyncio.gather(*(ConnectionCleaning(own).erase_removed() for own in others))
    assert await counted() == [0, 0, 0, 0, 0]
    for own in others:
        await own.aclose()


async def test_the_job_erases_a_while_after_the_removal(user, cleaning, counted, monkeypatch):
    monkeypatch.setattr(cleaning_module, "LOOK_SECONDS", 0.02)
    running = asyncio.create_task(cleaning.run())
    connection = await user.connect()
    await user.call("DELETE", f"/connections/{connection['id']}")
    async with asyncio.timeout(10):
        while await counted(Connection) != [0]:
            await asyncio.sleep(0.01)
    await end(running)


async def test_what_was_never_connected_is_forgotten_after_a_day(user, cleaning, counted, change):
    await user.begin()
    day = timedelta(days=1)
    await change(Connection, created_at=now() - day)
    await cleaning.tidy()
    assert await counted(Connection, Authorization) == [1, 1], "it may still be finished"
    await change(Authorization, expires_at=now())
    await change(Connection, created_at=now() - day + timedelta(minutes=1))
    await cleaning.tidy()
    assert await counted(Connection, Authorization) == [1, 0], "it is too young"
    await change(Connection, created_at=now() - day)
    await cleaning.tidy()
    assert await counted(Connection, Authorization) == [0, 0]


async def test_a_try_that_is_being_finished_does_not_expire(user, cleaning, counted, change):
    await user.begin()
    await change(Authorization, expires_at=now(), claimed_until=now() + timedelta(minutes=1))
    await cleaning.tidy()
    assert await counted(Authorization) == [1]
    await change(Authorization, claimed_until=now())
    await cleaning.tidy()
    assert await counted(Authorization) == [0]


@pytest.mark.parametrize("state", [{"status": "active"}, {"sealed_tokens": "some"}])
async def test_a_connection_that_has_or_had_access_is_not_forgotten(user, cleaning, counted, change, state):
    await user.connect()
    await change(Connection, **{"status": "pending", "sealed_tokens": None} | state)
    await change(Connection, created_at=now() - timedelta(days=400))
    await cleaning.tidy()
    assert await counted(Connection) == [1]


async def test_old_runs_go_but_the_last_of_each_connection_stays(user, stranger, resources, runner, cleaning):
    old, edge = now() - timedelta(days=91), now() - timedelta(days=89)
    connections = [(await person.connect())["id"] for person in (user, stranger)]
    made = []
    async with resources.sessions.begin() as session:
        [first, second] = (await session.scalars(select(SyncRun).order_by(SyncRun.id))).all()
        assert [str(run.connection_id) for run in (first, second)] == connections
        for run, moments in ((first, (old, old, edge)), (second, (old, old))):
            await session.delete(run)
            await session.flush()
            for number, moment in enumerate(moments):
                made.append(
                    SyncRun(
                        id=UUID(int=earliest_at(moment).int + new_id().int % 2**60),
                        connection_id=run.connection_id,
                        user_id=run.user_id,
                        trigger="scheduled",
                        status="completed",
                        created_at=moment + timedelta(minutes=number),
                        finished_at=moment + timedelta(minutes=number),
                    )
                )
        session.add_all(made)
    await cleaning.tidy()
    async with resources.sessions() as session:
        left = set(await session.scalars(select(SyncRun.id)))
    assert left == {made[2].id, made[4].id}
