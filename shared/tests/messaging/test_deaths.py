"""An event that kills whoever takes it: it ends in the dead letters, alone."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select

from grove.contracts.auth import UserRegistered, UserUpdated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.messaging.broker import message
from grove.messaging.consumer import Consumer
from grove.messaging.dead_letters import DeadLetters
from grove.messaging.handlers import Handlers
from grove.messaging.intake import SUSPECTED_AFTER, Intake
from grove.messaging.topology import CRASH_LIMIT, consumer, internal_exchange
from grove.outbox.event import OutboxEvent, outbox_event
from grove.outbox.postgres import InboxRow, OutboxRow, PostgresInbox

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).parent / "dying_worker.py"
QUEUE = "resource.fragile"
DEATHS = 3
PREFETCH = 64


def registered() -> UserRegistered:
    user = {"email": "a@example.com", "name": "A", "locale": "en", "timezone": "UTC", "roles": []}
    return UserRegistered(user_id=new_id(), registered_at=now(), **user)


def poison() -> OutboxEvent:
    return outbox_event("auth", UserUpdated(user_id=new_id(), locale="en", timezone="UTC", roles=[]), sequence=1)


@pytest.fixture
async def letters(brokers):
    """Of a queue like any consumer's, but that fewer deaths park an event."""
    made = consumer("resource", [], queue=QUEUE)
    made["queues"][0]["arguments"]["x-delivery-limit"] = DEATHS - 1
    async with brokers("operator").connection() as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(internal_exchange("resource"), ensure=False)
        queues = [
            await channel.declare_queue(queue["name"], durable=True, arguments=queue["arguments"])
            for queue in made["queues"]
        ]
        for queue in queues:
            await queue.bind(exchange, queue.name)
        yield DeadLetters(brokers("operator"), "resource", QUEUE)
        for queue in queues:
            await queue.delete(if_unused=False, if_empty=False)


async def put(brokers, *events: OutboxEvent) -> None:
    async with brokers("resource").connection() as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(internal_exchange("resource"), ensure=False)
        for event in events:
            await exchange.publish(message(event.body, message_id=str(event.id)), routing_key=QUEUE, mandatory=True)


@pytest.fixture
async def start(stores):
    """Starts a worker; what still runs at the end is killed."""
    started = []
    environment = stores.environment("resource") | {"DATABASE_NAME": "shared_test", "DATABASE_USER": "shared_test"}

    async def start() -> asyncio.subprocess.Process:
        words = [sys.executable, str(PROGRAM), QUEUE, str(PREFETCH)]
        started.append(await asyncio.create_subprocess_exec(*words, env={**os.environ, **environment}))
        return started[-1]

    yield start
    for worker in started:
        with suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()


def test_neighbours_are_taken_alone_long_before_they_are_parked():
    assert 2 * SUSPECTED_AFTER < CRASH_LIMIT


async def applied(sessions) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(InboxRow)) or 0


async def test_an_event_that_kills_its_worker_takes_no_neighbour_with_it(brokers, sessions, letters, start):
    killer = poison()
    neighbours = [outbox_event("auth", registered(), sequence=1) for _ in range(PREFETCH - 1)]
    await put(brokers, *neighbours[:20], killer, *neighbours[20:])
    async with asyncio.timeout(120):
        for _ in range(DEATHS):
            assert await (await start()).wait() == 137
        while not await letters.all():
            await asyncio.sleep(0.05)
    assert [letter.type for letter in await letters.all()] == [UserUpdated.type]
    await start()
    async with asyncio.timeout(120):
        while await applied(sessions) < len(neighbours):
            await asyncio.sleep(0.05)
    assert [letter.type for letter in await letters.all()] == [UserUpdated.type]
    async with sessions() as session:
        assert set(await session.scalars(select(InboxRow.event_id))) == {event.id for event in neighbours}
        assert await session.scalar(select(func.count()).select_from(OutboxRow)) == len(neighbours)


async def test_what_somebody_died_with_is_taken_one_at_a_time_and_the_new_together(
    brokers, sessions, letters, monkeypatch
):
    taking, sizes, consume = [], [], Intake._consume

    async def watched(self, prefetch: int) -> None:
        await consume(self, prefetch)
        taking.append(prefetch)

    class CountingInbox(PostgresInbox):
        async def apply(self, works):
            sizes.append(len(works))
            return await super().apply(works)

    async def handle(_session, _event) -> None: ...

    monkeypatch.setattr(Intake, "_consume", watched)
    monkeypatch.setattr("grove.messaging.intake.SUSPECTED_AFTER", 1)
    handlers = Handlers()
    handlers.add(UserRegistered, handle)
    inbox = CountingInbox(sessions)
    events = [outbox_event("auth", registered(), sequence=1) for _ in range(12)]
    consuming = Consumer("resource", QUEUE, brokers("resource"), inbox, handlers, prefetch=PREFETCH)

    async def until(condition) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.02)

    async with brokers("resource").connection() as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        held: asyncio.Queue = asyncio.Queue()
        queue = await channel.get_queue(QUEUE, ensure=False)
        await queue.consume(held.put)
        await put(brokers, *events[:11])
        await until(lambda: held.qsize() == 10)
        work = asyncio.create_task(consuming.run())
        await until(lambda: taking == [1, PREFETCH] and sizes == [1])
    await until(lambda: sum(sizes) == 11)
    assert (taking, sizes) == ([1, PREFETCH, 1], [1] * 11)
    await put(brokers, events[11])
    await until(lambda: taking == [1, PREFETCH, 1, PREFETCH] and sum(sizes) == 12)
    await end(work)
    assert await letters.all() == []
