"""A Valkey that is away or hangs, and a database that is away: connections stay, and get everything all the same."""

import asyncio

import pytest

from grove.core.ids import new_id
from grove_notification.live import hub as hub_module
from grove_notification.live import patience as patience_module
from grove_notification.live import subscriber as subscriber_module

pytestmark = pytest.mark.integration


@pytest.fixture
def me():
    return new_id()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(hub_module, "PING_SECONDS", 0.1)
    monkeypatch.setattr(hub_module, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(hub_module, "ALONE_SECONDS", 0.1)
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 3600)  # what is lost is not found by chance
    monkeypatch.setattr(subscriber_module, "RETRY_SECONDS", 0.1)


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_frames_come_from_the_store_while_valkey_is_away(
    start, proxy, settings, connect, client, issuer, make, me
):
    valkey = await proxy(settings.valkey_port)
    replica = await start(valkey_port=valkey.port)
    mine = issuer.headers(me)
    async with connect(replica.url, mine) as stream:
        await stream.frame("unread_count")
        await valkey.cut()
        await until(lambda: not replica.hub.subscribed)
        await make(me, "A", "B")
        assert await stream.titles(2) == ["A", "B"]
        await client.put("/api/v1/notifications/mark-all-read", headers=mine)  # which nobody here is told of
        await valkey.start()
        await stream.counted(0)  # anew, when it is back
        await make(me, "C")
        assert await stream.titles(1) == ["C"]


async def test_a_valkey_that_hangs_is_noticed(start, proxy, settings, connect, issuer, make, me):
    valkey = await proxy(settings.valkey_port)
    replica = await start(valkey_port=valkey.port)
    async with connect(replica.url, issuer.headers(me)) as stream:
        await stream.frame("unread_count")
        valkey.hold()
        await until(lambda: not replica.hub.subscribed)
        await make(me, "A")
        assert await stream.titles(1) == ["A"]
        valkey.release()
        await until(lambda: replica.hub.subscribed)
        await make(me, "B")
        assert await stream.titles(1) == ["B"]


async def test_what_was_pushed_while_the_client_connected_anew_by_itself_is_found(
    start, proxy, settings, connect, issuer, write, me
):
    valkey = await proxy(settings.valkey_port)
    replica = await start(valkey_port=valkey.port)
    async with connect(replica.url, issuer.headers(me)) as stream:
        await stream.frame("unread_count")
        await write(me, 1, 2)  # pushes that went by
        valkey.drop()
        assert await stream.numbers(2) == [1, 2]


async def test_without_valkey_a_resume_goes_by_the_position(
    start, proxy, settings, over_sockets, connect, issuer, make, me, monkeypatch
):
    monkeypatch.setattr(patience_module, "PAUSE_SECONDS", 3600)
    valkey = await proxy(settings.valkey_port)
    replica = await start(valkey_port=valkey.port)
    mine = issuer.headers(me)
    async with over_sockets(replica.url, mine) as stream:
        first = (await stream.frame("unread_count"))["id"]
        await make(me, "A", "B")
        await stream.titles(2)
        await valkey.cut()
        await stream.say(ack=stream.last_id)  # which can't be remembered, and ends nothing
        await make(me, "C")
        assert await stream.titles(1) == ["C"]
    async with connect(replica.url, mine, query={"resume_from": first}) as stream:
        assert await stream.titles(3) == ["A", "B", "C"]


async def test_connections_outlive_a_database_that_is_away(
    start, proxy, settings, resources, connect, refusal, issuer, write, me
):
    database = await proxy(settings.database_port)
    replica = await start(database_port=database.port)
    async with connect(replica.url, issuer.headers(me)) as stream:
        await stream.frame("unread_count")
        await database.cut()
        status, error, headers = await refusal(replica.url, issuer.headers(me))
        assert (status, error["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert "retry-after" in {name.lower() for name in headers}
        await write(me, 1)
        (second,) = await write(me, 2)
        await resources.push.send(second)  # a gap: the store has to be asked
        await asyncio.sleep(0.3)
        await database.start()
        assert await stream.numbers(2) == [1, 2]
