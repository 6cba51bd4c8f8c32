"""Frames are kept for a time; who comes back later is told to load anew."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update

from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.live import retention as retention_module
from grove_notification.live.retention import FramePurge
from grove_notification.models import LiveFrame

pytestmark = pytest.mark.integration


@pytest.fixture
def me():
    return new_id()


@pytest.fixture
def purge(resources):
    return FramePurge(resources.sessions, hours=24)


@pytest.fixture
def aged(resources):
    """Makes a user's frames up to a position that many hours old."""

    async def aged(user, position: int, hours: float) -> None:
        async with resources.sessions.begin() as session:
            await session.execute(
                update(LiveFrame)
                .where(LiveFrame.user_id == user, LiveFrame.position <= position)
                .values(created_at=now() - timedelta(hours=hours))
            )

    return aged


@pytest.fixture
def left(resources):
    async def left(user) -> list[int]:
        async with resources.sessions() as session:
            found = select(LiveFrame.position).where(LiveFrame.user_id == user).order_by(LiveFrame.position)
            return list((await session.scalars(found)).all())

    return left


async def test_old_frames_go_and_others_stay(purge, write, aged, left, me):
    other = new_id()
    await write(me, 1, 2, 3)
    await write(other, 1)
    await aged(me, 2, 24.01)
    await aged(other, 1, 23.99)
    assert await purge.purge() == 2
    assert (await left(me), await left(other)) == ([3], [1])
    assert await purge.purge() == 0


async def test_many_go_in_small_transactions_and_several_may_purge(
    resources, purge, write, aged, left, me, monkeypatch
):
    monkeypatch.setattr(retention_module, "BATCH", 7)
    await write(me, *range(100))
    await aged(me, 90, 30)
    assert sum(await asyncio.gather(*(purge.purge() for _ in range(3)))) == 90
    assert await left(me) == list(range(91, 101))
    async with resources.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(LiveFrame)) == 10


@pytest.mark.parametrize("kept", [0, 2])
async def test_who_was_away_too_long_is_told_by_a_reset_and_goes_on(
    replica, resources, connect, issuer, purge, write, aged, me, kept
):
    mine = issuer.headers(me)
    async with connect(replica.url, mine) as client:
        first = (await client.frame("unread_count"))["id"]
    await write(me, 1, 2, 3, 4, 5)
    await aged(me, 5 - kept, 25)
    await purge.purge()
    async with connect(replica.url, mine, query={"resume_from": first}) as client:
        assert (await client.frame("reset"))["data"] == {}
        (frame,) = await write(me, 6)
        await resources.push.send(frame)
        assert await client.numbers(1) == [6], "what a client loads anew is not told as well"
        last = client.last_id
    async with connect(replica.url, mine, query={"resume_from": last}) as client:
        await client.frame("unread_count")
        assert not client.of("reset")


async def test_what_is_kept_is_replayed_though_older_ones_went(replica, connect, issuer, purge, write, aged, me):
    mine = issuer.headers(me)
    await write(me, 1, 2, 3)
    async with connect(replica.url, mine) as client:
        place = (await client.frame("unread_count"))["id"]
    await write(me, 4, 5)
    await aged(me, 3, 25)
    await purge.purge()
    async with connect(replica.url, mine, query={"resume_from": place}) as client:
        assert await client.numbers(2) == [4, 5]
        assert not client.of("reset")


async def test_a_hole_in_what_is_kept_is_a_reset_too(replica, resources, connect, issuer, write, me):
    """Clocks of two workers differ: a frame can look older than the one before it."""
    mine = issuer.headers(me)
    async with connect(replica.url, mine) as client:
        place = (await client.frame("unread_count"))["id"]
    await write(me, 1, 2, 3)
    async with resources.sessions.begin() as session:
        await session.execute(delete(LiveFrame).where(LiveFrame.user_id == me, LiveFrame.position == 2))
    async with connect(replica.url, mine, query={"resume_from": place}) as client:
        assert (await client.frame("reset"))["data"] == {}
        assert not client.of("task.changed")
