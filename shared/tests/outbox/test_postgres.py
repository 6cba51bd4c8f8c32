"""The outbox and the inbox on PostgreSQL."""

import asyncio

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from grove.contracts.event import Envelope
from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.context import RequestContext, use_context
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.messaging.handlers import Received, StoreUnavailable, Work
from grove.outbox.event import OutboxEvent, outbox_event
from grove.outbox.postgres import InboxRow, Outbox, OutboxRow, PostgresInbox, PostgresOutboxStore
from grove.postgres.engine import STORE_ERRORS, create_engine, is_lost

pytestmark = pytest.mark.integration


def created(task_id=None) -> TaskCreated:
    return TaskCreated(task_id=task_id or new_id(), user_id=new_id(), title="Plant", created_at=now())


async def write(sessions, *events) -> None:
    async with sessions.begin() as session:
        await Outbox(session, "resource").add(*events)


async def count(sessions, table) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(table))


async def test_an_event_carries_its_context(sessions, engine):
    user = new_id()
    with use_context(RequestContext("req-5", user_id=user)):
        await write(sessions, (created(), 7))
    async with PostgresOutboxStore(engine).claim(10) as claim:
        [event] = claim.events
    envelope = Envelope.model_validate_json(event.body)
    assert (envelope.requestid, envelope.actorid, envelope.sequence) == ("req-5", user, 7)
    assert (envelope.source, envelope.type, envelope.specversion) == ("/grove/resource", event.type, "1.0")
    assert event.mandatory


async def test_a_change_that_rolls_back_is_never_published(sessions):
    with pytest.raises(ValueError, match="no"):
        async with sessions.begin() as session:
            await Outbox(session, "resource").add((created(), 1))
            raise ValueError("no")
    await write(sessions)
    assert await count(sessions, OutboxRow) == 0


async def take(store, limit=10, **options) -> list[OutboxEvent]:
    """Claims and says that all went out."""
    async with store.claim(limit, **options) as claim:
        claim.published |= {event.id for event in claim.events}
    return claim.events


async def test_events_stay_until_the_block_ends_well(sessions, engine):
    await write(sessions, (created(), 1))
    store = PostgresOutboxStore(engine)
    with pytest.raises(ConnectionError):
        async with store.claim(10) as claim:
            claim.published.add(claim.events[0].id)
            raise ConnectionError("the broker went away")
    assert await count(sessions, OutboxRow) == 1
    assert await store.oldest_age() >= 0
    assert len(await take(store)) == 1
    assert await count(sessions, OutboxRow) == 0
    assert await store.oldest_age() == 0


async def test_only_what_was_published_leaves(sessions, engine):
    await write(sessions, *((created(), 1) for _ in range(3)))
    store = PostgresOutboxStore(engine)
    async with store.claim(10) as claim:
        refused = claim.events[1]
        claim.published |= {claim.events[0].id, claim.events[2].id}
    assert await take(store, without={"resource.task.created.v1"}) == []
    assert await take(store, without={"resource.task.deleted.v1"}) == [refused]


async def test_relays_share_the_work_and_keep_each_aggregates_order(sessions, engine):
    tasks = [new_id() for _ in range(200)]
    for sequence in range(1, 11):
        await write(sessions, *((created(task), sequence) for task in tasks))
    sent: dict[str, list[int]] = {str(task): [] for task in tasks}

    async def relay() -> None:
        store = PostgresOutboxStore(engine)
        while sum(map(len, sent.values())) < 2000:
            async with store.claim(20) as claim:
                for event in claim.events:
                    envelope = Envelope.model_validate_json(event.body)
                    sent[envelope.subject].append(envelope.sequence)
                    claim.published.add(event.id)

    async with asyncio.timeout(60):
        await asyncio.gather(*(relay() for _ in range(4)))
    assert set(map(tuple, sent.values())) == {tuple(range(1, 11))}


async def test_a_relay_leaves_an_aggregate_to_the_one_that_has_it(sessions, engine):
    task = new_id()
    await write(sessions, *((created(task), sequence) for sequence in (1, 2, 3)))
    async with PostgresOutboxStore(engine).claim(1) as first:
        assert len(first.events) == 1
        assert await take(PostgresOutboxStore(engine)) == []
        first.published.add(first.events[0].id)
    assert len(await take(PostgresOutboxStore(engine))) == 2


async def test_a_commit_wakes_the_relay(sessions, engine):
    woken = asyncio.Event()

    async def listen() -> None:
        async for _ in PostgresOutboxStore(engine).wakeups():
            woken.set()

    listener = asyncio.create_task(listen())
    async with asyncio.timeout(60):
        while not woken.is_set():  # nobody can see from outside when it begins to listen
            await write(sessions, (created(), 1))
            await asyncio.sleep(0.1)
    await end(listener)


def work(handler) -> Work:
    event = outbox_event("resource", created(), sequence=1)
    envelope = Envelope.model_validate_json(event.body)
    return Work(handler, Received(envelope, TaskCreated.model_validate(envelope.data)))


async def test_an_event_delivered_many_times_at_once_has_one_effect(sessions):
    effects = []

    async def handler(session, event) -> None:
        effects.append(event.envelope.id)
        await asyncio.sleep(0.01)

    event, inbox = work(handler), PostgresInbox(sessions)
    answers = await asyncio.gather(*(inbox.apply([event, event]) for _ in range(8)))
    assert sorted(answers, key=len) == [[]] * 7 + [[event]]
    assert len(effects) == 1


async def test_a_failed_effect_leaves_no_trace_and_can_be_tried_again(sessions):
    tries = []

    async def handler(session, event) -> None:
        tries.append(1)
        await Outbox(session, "resource").add((created(), 1))
        if len(tries) == 1:
            raise ValueError("first")

    event, inbox = work(handler), PostgresInbox(sessions)
    with pytest.raises(ValueError, match="first"):
        await inbox.apply([event])
    assert await count(sessions, InboxRow) == await count(sessions, OutboxRow) == 0
    assert await inbox.apply([event]) == [event]
    assert await count(sessions, InboxRow) == await count(sessions, OutboxRow) == 1


async def test_batches_that_share_events_apply_each_once(sessions):
    effects = []

    async def handler(session, event) -> None:
        effects.append(event.envelope.id)

    events, inbox = [work(handler) for _ in range(12)], PostgresInbox(sessions)
    batches = [events[:8], events[7::-1], events[4:], events[:3:-1]]
    answers = await asyncio.gather(*(inbox.apply(batch) for batch in batches))
    assert sorted(effects) == sorted(one.id for one in events)
    assert sorted(one.id for answer in answers for one in answer) == sorted(effects)


async def test_one_failing_effect_leaves_no_trace_of_its_batch(sessions):
    async def good(session, event) -> None:
        await Outbox(session, "resource").add((created(), 1))

    async def bad(session, event) -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await PostgresInbox(sessions).apply([work(good), work(bad), work(good)])
    assert await count(sessions, InboxRow) == await count(sessions, OutboxRow) == 0


async def test_a_lost_database_is_not_the_events_fault(settings):
    away = create_engine(settings.model_copy(update={"database_port": 1}))
    from sqlalchemy.ext.asyncio import async_sessionmaker

    async def handler(session, event) -> None:
        raise AssertionError("never reached")

    with pytest.raises(StoreUnavailable, match=r"^the database is away: .*Connect call failed"):
        await PostgresInbox(async_sessionmaker(away)).apply([work(handler)])
    await away.dispose()


async def test_a_statement_that_was_cancelled_is_a_failed_try(sessions):
    from sqlalchemy import text

    async def handler(session, event) -> None:
        await session.execute(text("SET LOCAL statement_timeout = 1"))
        await session.execute(text("SELECT pg_sleep(60)"))

    with pytest.raises(DBAPIError, match="statement timeout"):
        await PostgresInbox(sessions).apply([work(handler)])


async def test_a_wrong_statement_is_not_a_lost_database(engine):
    from sqlalchemy import text

    for statement, lost in (("SELECT 1/0", False), ("SELECT pg_terminate_backend(pg_backend_pid())", True)):
        with pytest.raises(STORE_ERRORS) as caught:
            async with engine.connect() as connection:
                await connection.execute(text(statement))
        assert is_lost(caught.value) is lost
    assert is_lost(ConnectionRefusedError())
    assert not is_lost(ValueError())


async def test_connections_that_the_database_closed_cost_no_request(engine, settings):
    from sqlalchemy import text

    mine = create_engine(settings, pool_size=3)
    async with mine.connect() as one, mine.connect() as two:
        pids = [await connection.scalar(text("SELECT pg_backend_pid()")) for connection in (one, two)]
        drivers = [(await connection.get_raw_connection()).driver_connection for connection in (one, two)]
    async with engine.connect() as connection:
        for pid in pids:
            await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    async with asyncio.timeout(60):
        while not all(driver.is_closed() for driver in drivers):
            await asyncio.sleep(0.01)
    async with mine.connect() as one, mine.connect() as two:
        for connection in (one, two):
            assert await connection.scalar(text("SELECT 1")) == 1
    await mine.dispose()
