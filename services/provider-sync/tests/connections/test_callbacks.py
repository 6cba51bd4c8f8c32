"""Callbacks that race, fail, or bring another customer than the connection is for."""

import asyncio

import pytest
from sqlalchemy import select, update

from grove.core.clock import now
from grove.testing.postgres import outbox_types
from grove_provider_sync.connections.linking import Linking
from grove_provider_sync.models import Authorization, Connection, SyncRun, TokenAudit, TokenRevocation

pytestmark = pytest.mark.integration


@pytest.fixture
def stored(resources):
    async def stored(model=Connection):
        async with resources.sessions() as session:
            return (await session.scalars(select(model))).all()

    return stored


async def again(user, connection: dict) -> dict:
    answer = await user.call("POST", f"/connections/{connection['id']}/reauthorize")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_of_callbacks_at_once_one_connects(user, resources, stored, world):
    started = await user.begin()
    back = await user.consent(started["authorization_url"])
    answers = await asyncio.gather(*(user.callback(back) for _ in range(6)))
    assert sorted({answer.status_code for answer in answers}) in ([200, 409], [200, 410], [200, 409, 410])
    assert [answer.status_code for answer in answers].count(200) == 1
    assert (await outbox_types(resources.engine)).count("provider_sync.connection.linked.v1") == 1
    assert len(await stored(SyncRun)) == 1
    assert await stored(Authorization) == []


async def test_a_callback_whose_process_died_can_be_repeated_once_its_time_is_over(user, resources):
    started = await user.begin()
    back = await user.consent(started["authorization_url"])
    async with resources.sessions.begin() as session:
        await session.execute(update(Authorization).values(claimed_until=now().replace(year=2099)))
    refused = await user.callback(back)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    async with resources.sessions.begin() as session:
        await session.execute(update(Authorization).values(claimed_until=now()))
    assert (await user.callback(back)).status_code == 200


async def test_no_connection_to_the_database_is_held_while_the_provider_takes_its_time(user, resources, world):
    """As many slow callbacks as there are connections, and one request beside them."""
    started = [await user.begin() for _ in range(resources.settings.database_pool_size)]
    backs = [await user.consent(each["authorization_url"]) for each in started]
    await world.post("/control/faults", json={"path": "/oauth/token", "delay_seconds": 0.8, "times": len(backs)})
    waiting = [asyncio.create_task(user.callback(back)) for back in backs]
    async with asyncio.timeout(20):
        while resources.engine.pool.checkedout() or not any((await world.get("/control/calls")).json().values()):
            await asyncio.sleep(0.01)
    assert not all(task.done() for task in waiting)
    await asyncio.gather(*waiting)


async def test_reconnecting_as_another_customer_is_refused_and_changes_nothing(user, stored, world):
    connection = await user.connect()
    [before] = await stored()
    url = (await again(user, connection))["authorization_url"]
    user.customer = "somebody-else"
    refused = await user.callback(await user.consent(url))
    assert refused.status_code == 409
    assert "another customer" in refused.json()["error"]["message"]
    [after] = await stored()
    assert (after.sealed_tokens, after.external_id) == (before.sealed_tokens, before.external_id)


async def test_one_customer_is_connected_once_for_each_user(user, stranger, stored):
    await user.connect()
    twice = await user.begin()
    refused = await user.callback(await user.consent(twice["authorization_url"]))
    assert refused.status_code == 409
    assert "already" in refused.json()["error"]["message"]
    assert sorted(each.status for each in await stored()) == ["active", "pending"]
    stranger.customer = user.customer
    assert (await stranger.connect())["status"] == "active"


async def test_reconnecting_works_again_at_once_and_is_told(user, resources, stored, runner):
    connection = await user.connect()
    await runner.run(connection["id"])
    async with resources.sessions.begin() as session:
        lost = {"status": "needs_reauth", "failures": 3, "warned_days": 1, "reauth_by": now()}
        await session.execute(update(Connection).values(**lost))
    back = await user.consent((await again(user, connection))["authorization_url"])
    assert (await user.callback(back)).json()["status"] == "active"
    [found] = await stored()
    assert (found.failures, found.warned_days, found.reauth_by, found.token_version) == (0, None, None, 2)
    await runner.run(connection["id"])
    types = await outbox_types(resources.engine)
    assert types.count("provider_sync.connection.linked.v1") == 2
    assert types.count("provider_sync.connection.recovered.v1") == 1
    assert [entry.action for entry in await stored(TokenAudit)] == ["tokens_granted", "tokens_granted"]


async def test_what_was_removed_is_not_connected_again(user):
    connection = await user.connect()
    assert (await user.call("DELETE", f"/connections/{connection['id']}")).status_code == 204
    refused = await user.call("POST", f"/connections/{connection['id']}/reauthorize")
    assert refused.status_code in {400, 404}
    assert (await user.call("DELETE", f"/connections/{connection['id']}")).status_code in {204, 404}


async def test_of_two_tries_at_once_for_one_customer_one_connects(user, stored):
    """Each is another connection, and neither has the customer before the other one has."""
    tries = [await user.begin() for _ in range(4)]
    backs = [await user.consent(each["authorization_url"]) for each in tries]
    answers = await asyncio.gather(*(user.callback(back) for back in backs))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert sorted(each.status for each in await stored()) == ["active", "pending", "pending", "pending"]


async def test_a_grant_outlives_a_store_that_is_away_for_a_moment(user, stored, monkeypatch):
    """It can't be had again: the provider took the code."""
    whole, tries = Linking._link, []

    async def away_at_first(self, *given):
        tries.append(given)
        if len(tries) < 3:
            raise ConnectionRefusedError
        return await whole(self, *given)

    monkeypatch.setattr(Linking, "_link", away_at_first)
    assert (await user.connect())["status"] == "active"
    assert await stored(TokenRevocation) == []


async def test_a_grant_that_can_not_be_kept_is_given_back(user, stored, monkeypatch):
    async def broken(*_):
        raise KeyError

    monkeypatch.setattr(Linking, "_link", broken)
    started = await user.begin()
    assert (await user.callback(await user.consent(started["authorization_url"]))).status_code == 500
    assert len(await stored(TokenRevocation)) == 1


async def test_no_connection_to_the_database_waits_for_a_provider_when_one_begins(user, resources, monkeypatch):
    """Not even for the idempotency key."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    whole = Linking.prepare

    async def slow(self, *given):
        begun.set()
        await go_on.wait()
        return await whole(self, *given)

    monkeypatch.setattr(Linking, "prepare", slow)
    key = {"Idempotency-Key": "slow"}
    beginning = asyncio.create_task(user.call("POST", "/connections", json={"provider": "sandbox"}, headers=key))
    async with asyncio.timeout(20):
        await begun.wait()
        assert resources.engine.pool.checkedout() == 0
        go_on.set()
        assert (await beginning).status_code == 201
