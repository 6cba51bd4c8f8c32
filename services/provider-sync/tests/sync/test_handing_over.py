"""Which runs the queue carries: one of each user and provider, those that somebody waits for first."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from grove.core.clock import now
from grove.core.ids import new_id
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.sync.runner import SyncRunner

pytestmark = pytest.mark.integration

ADA, BEN = new_id(), new_id()
LONG_AGO = now() - timedelta(minutes=1)


@pytest.fixture
def queued(resources):
    """Makes connections with a queued run each; their ids, in the order in which they were queued."""

    async def queued(user_id, count: int = 1, *, provider="sandbox", trigger="scheduled", **run) -> list:
        made = []
        async with resources.sessions.begin() as session:
            for number in range(count):
                connection = Connection(
                    id=new_id(), user_id=user_id, provider=provider, status="active", status_detail="", created_at=now()
                )
                session.add(connection)
                await session.flush()
                moment = LONG_AGO + timedelta(milliseconds=number)
                given = {"id": new_id(), "trigger": trigger, "status": "queued", "created_at": moment} | run
                session.add(SyncRun(connection_id=connection.id, user_id=user_id, **given))
                made.append(connection.id)
        return made

    return queued


@pytest.fixture
def hand_over(resources):
    """Hands over what may be, and says whose."""

    async def hand_over() -> list:
        async with resources.sessions.begin() as session:
            runs = SyncRunRepository(session)
            assert await runs.may_hand_over()
            ready = await runs.to_hand_over(50)
            await runs.handed_over([run.id for run in ready])
            return [run.connection_id for run in ready]

    return hand_over


@pytest.fixture
def change(resources):
    async def change(model, *conditions, **values) -> None:
        async with resources.sessions.begin() as session:
            await session.execute(update(model).where(*conditions).values(**values))

    return change


async def test_a_hundred_connections_of_one_user_take_one_slot(queued, hand_over, change):
    mine = await queued(ADA, 100)
    theirs = await queued(BEN, 3)
    assert sorted(await hand_over()) == sorted([mine[0], theirs[0]])
    assert await hand_over() == [], "both are under way"
    await change(SyncRun, SyncRun.connection_id == mine[0], status="completed")
    assert await hand_over() == [mine[1]]
    await change(SyncRun, SyncRun.connection_id.in_([mine[1], theirs[0]]), status="failed")
    assert sorted(await hand_over()) == sorted([mine[2], theirs[1]])


async def test_each_provider_has_a_slot_of_its_own(queued, hand_over):
    one, other = await queued(ADA, 2), await queued(ADA, 2, provider="plaid")
    assert sorted(await hand_over()) == sorted([one[0], other[0]])


@pytest.mark.parametrize("trigger", ["user", "initial"])
async def test_what_somebody_waits_for_is_first(queued, hand_over, trigger):
    await queued(ADA, 2)
    [asked] = await queued(ADA, trigger=trigger, created_at=now())
    assert await hand_over() == [asked]


async def test_who_made_room_is_behind_those_who_waited(queued, hand_over):
    [large] = await queued(ADA, not_before=now() - timedelta(seconds=1))
    [small] = await queued(ADA)
    assert await hand_over() == [small]
    assert large


async def test_a_run_that_is_put_off_waits_and_gives_its_slot_to_others(queued, hand_over):
    [put_off] = await queued(ADA, not_before=now() + timedelta(hours=1))
    [ready] = await queued(ADA)
    assert await hand_over() == [ready]
    assert put_off


async def test_a_run_whose_message_was_lost_is_handed_over_again(queued, hand_over, change):
    mine = await queued(ADA, 2)
    assert await hand_over() == [mine[0]]
    await change(SyncRun, SyncRun.connection_id == mine[0], handed_over_at=now() - timedelta(seconds=31))
    assert await hand_over() == [mine[0]]


async def test_a_run_under_way_is_left_alone_until_its_worker_goes_silent(queued, hand_over, change):
    [mine] = await queued(ADA, status="running", handed_over_at=now())
    await change(Connection, Connection.id == mine, lease_until=now() + timedelta(seconds=60), leased_by=new_id())
    await queued(ADA, created_at=now())
    assert await hand_over() == [], "it holds its user's slot"
    await change(Connection, Connection.id == mine, lease_until=now() - timedelta(seconds=1))
    assert await hand_over() == [mine]


async def test_two_schedulers_do_not_hand_over_at_once(resources, queued):
    await queued(ADA, 2)
    async with resources.sessions.begin() as first, resources.sessions.begin() as second:
        assert await SyncRunRepository(first).may_hand_over()
        assert not await SyncRunRepository(second).may_hand_over()


async def test_a_lease_is_had_by_one_and_kept_by_its_name(resources, queued):
    [connection_id] = await queued(ADA)
    soon, names = now() + timedelta(seconds=60), [new_id() for _ in range(8)]

    async def lease(name, until=soon) -> bool:
        async with resources.sessions.begin() as session:
            return await SyncRunRepository(session).lease(connection_id, name, until)

    async def renew(name) -> bool:
        async with resources.sessions.begin() as session:
            return await SyncRunRepository(session).renew(connection_id, name, soon)

    taken = await asyncio.gather(*(lease(name) for name in names))
    assert sum(taken) == 1
    mine = names[taken.index(True)]
    assert [await renew(name) for name in names] == taken
    async with resources.sessions.begin() as session:
        await session.execute(update(Connection).values(lease_until=now() - timedelta(seconds=1)))
    assert await lease(new_id())
    assert not await renew(mine), "it was taken over"


async def test_one_open_run_serves_all_who_ask(resources, queued):
    [connection_id] = await queued(ADA)
    async with resources.sessions.begin() as session:
        connection = await SyncRunRepository(session).locked(connection_id)
        for trigger in ("user", "webhook", "scheduled"):
            await SyncRunRepository(session).enqueue(connection, trigger)
    async with resources.sessions() as session:
        assert len((await session.scalars(select(SyncRun))).all()) == 1


async def test_the_queue_is_not_given_more_than_it_carries(resources, queued, hand_over):
    """What waits there would be handed over again and again."""
    for _ in range(60):
        await queued(new_id())
    assert len(await hand_over()) == 50
    assert await hand_over() == []
    async with resources.sessions.begin() as session:
        some = select(SyncRun.connection_id).where(SyncRun.handed_over_at.is_not(None)).limit(20)
        begun = (await session.scalars(some)).all()
        await session.execute(update(SyncRun).where(SyncRun.connection_id.in_(begun)).values(status="running"))
        lease = {"lease_until": now() + timedelta(minutes=1), "leased_by": new_id()}
        await session.execute(update(Connection).where(Connection.id.in_(begun)).values(**lease))
    assert len(await hand_over()) == 10


async def test_a_message_that_comes_late_runs_nothing_that_was_put_off(resources, queued):
    [connection_id] = await queued(ADA, not_before=now() + timedelta(hours=1))
    await SyncRunner(resources).run(connection_id)
    async with resources.sessions() as session:
        assert (await session.scalar(select(SyncRun.status)), await session.scalar(select(Connection.lease_until))) == (
            "queued",
            None,
        )
