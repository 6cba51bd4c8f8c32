"""Pushes come in any order, twice, or not at all: each client gets each frame once, in order."""

import asyncio
import random

import pytest

from grove.core.ids import new_id
from grove_notification.live import hub as hub_module
from grove_notification.live.hub import catch_up
from grove_notification.live.metrics import CATCH_UPS

pytestmark = pytest.mark.integration


@pytest.fixture
def me():
    return new_id()


async def test_a_push_that_overtook_another_brings_both_and_the_late_one_nothing(
    replica, resources, connect, issuer, write, me
):
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        first, second = await write(me, 1, 2)
        await resources.push.send(second)
        assert await client.numbers(2) == [1, 2]
        await resources.push.send(first)
        (third,) = await write(me, 3)
        await resources.push.send(third)
        assert await client.numbers(1) == [3]


async def test_a_push_that_was_lost_comes_with_the_next(replica, resources, connect, issuer, write, me):
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        await write(me, 1, 2, 3)
        (fourth,) = await write(me, 4)
        await resources.push.send(fourth)
        assert await client.numbers(4) == [1, 2, 3, 4]


async def test_a_push_that_was_lost_comes_without_a_next(replica, connect, issuer, write, me):
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        await write(me, 1, 2)
        catch_up(await replica.hub.behind())
        assert await client.numbers(2) == [1, 2]


async def test_the_hub_looks_by_itself(start, connect, issuer, write, me, monkeypatch):
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "ALONE_SECONDS", 0.05)
    monkeypatch.setattr(hub_module, "PUSH_SECONDS", 0.05)
    replica = await start()
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        await write(me, 1)
        assert await client.numbers(1) == [1]


async def test_what_is_being_pushed_is_not_read_from_the_store(replica, resources, connect, issuer, write, me):
    """A look right after something was written: its push comes in time."""
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        looks = CATCH_UPS._value.get()
        frames = await write(me, 1, 2)
        behind = await replica.hub.behind()
        assert behind == [(replica.only(), frames[-1].position)]
        for frame in frames:
            await resources.push.send(frame)
        assert await client.numbers(2) == [1, 2]
        catch_up(behind)
        (last,) = await write(me, 3)
        await resources.push.send(last)
        assert await client.numbers(1) == [3]
        assert CATCH_UPS._value.get() == looks


async def test_a_push_that_comes_again_is_passed_over(replica, resources, connect, issuer, write, me):
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        looks = CATCH_UPS._value.get()
        for number in range(5):
            (frame,) = await write(me, number)
            for _ in range(3):
                await resources.push.send(frame)
        assert await client.numbers(5) == [0, 1, 2, 3, 4]
        assert CATCH_UPS._value.get() == looks, "nor is the store asked about it"
        (last,) = await write(me, 99)
        await resources.push.send(last)
        assert await client.numbers(1) == [99]


async def test_everybody_gets_all_in_order_whatever_order_workers_push_in(
    replica, start, resources, connect, issuer, write, me
):
    other = await start()
    async with connect(replica.url, issuer.headers(me)) as one, connect(other.url, issuer.headers(me)) as two:
        for client in (one, two):
            await client.frame("unread_count")

        async def worker() -> None:
            for number in range(20):
                frames = await write(me, 1, 2)
                for frame in random.sample(frames, 2):
                    await asyncio.sleep(number % 5 / 500)
                    await resources.push.send(frame)

        await asyncio.gather(*(worker() for _ in range(4)))
        for client in (one, two):
            await client.numbers(160)
            positions = [int(frame["id"].split(".")[1]) for frame in client.of("task.changed")]
            assert positions == list(range(1, 161))


async def test_what_is_pushed_while_the_place_is_looked_up_is_not_lost(
    replica, resources, connect, issuer, write, me, monkeypatch
):
    monkeypatch.setattr(hub_module, "LOOK_SECONDS", 3600)
    of, written = replica.hub.states.of, []

    async def slowly(user_id):
        state = await of(user_id)
        if not written:
            written.extend(await write(me, 1))
            await resources.push.send(written[0])
            async with asyncio.timeout(20):
                while replica.only().subscriber._newest < 1:
                    await asyncio.sleep(0.01)
        return state

    monkeypatch.setattr(replica.hub.states, "of", slowly)
    async with connect(replica.url, issuer.headers(me)) as client:
        assert await client.numbers(1) == [1]


async def test_who_joins_meanwhile_begins_somewhere_and_has_all_from_there_on(
    replica, resources, connect, issuer, write, me
):
    """Between being given pushes and knowing the position nothing falls through."""
    done = asyncio.Event()

    async def worker() -> None:
        while not done.is_set():
            for frame in await write(me, 1):
                await resources.push.send(frame)

    working = [asyncio.create_task(worker()) for _ in range(2)]
    begins = set()
    for _ in range(25):
        async with connect(replica.url, issuer.headers(me)) as client:
            await client.numbers(10)
            positions = [int(frame["id"].split(".")[1]) for frame in client.of("task.changed")]
            assert positions == list(range(positions[0], positions[0] + 10))
            begins.add(positions[0])
    done.set()
    await asyncio.gather(*working)
    assert len(begins) > 1
