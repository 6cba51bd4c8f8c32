"""Consuming from a real RabbitMQ: once, again with a pause, parked, inspected, replayed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aio_pika.abc import AbstractIncomingMessage
from prometheus_client import REGISTRY
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker
from structlog.testing import capture_logs

from grove.contracts.auth import UserRegistered, UserUpdated
from grove.contracts.event import Envelope
from grove.core.clock import now, rfc3339
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.messaging.broker import BROKER_ERRORS, EventPublisher, message
from grove.messaging.consumer import HANDLER_SECONDS, Consumer
from grove.messaging.dead_letters import DeadLetters
from grove.messaging.handlers import Handlers, StoreUnavailable, Unacceptable
from grove.messaging.intake import Intake
from grove.messaging.topology import EVENTS, internal_exchange, queue_name
from grove.outbox.event import outbox_event
from grove.outbox.postgres import Outbox, OutboxRow, PostgresInbox, PostgresOutboxStore
from grove.outbox.relay import BATCH, Relay
from grove.postgres.engine import STORE_ERRORS, create_engine

pytestmark = pytest.mark.integration

QUEUE = queue_name("resource")
PREFETCH = 10


def registered(user=None) -> UserRegistered:
    return UserRegistered(
        user_id=user or new_id(),
        email="a@example.com",
        name="A",
        locale="en",
        timezone="UTC",
        roles=["user"],
        registered_at=now(),
    )


def changed(user) -> UserUpdated:
    return UserUpdated(user_id=user, locale="de", timezone="UTC", roles=["user"])


class Handling:
    """A handler that does as it is told and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[Envelope] = []
        self.failures: list[Exception] = []
        self.handled = asyncio.Event()

    async def __call__(self, session, event) -> None:
        self.seen.append(event.envelope)
        if self.failures:
            raise self.failures.pop(0)
        event.after_commit.append(self.done)

    async def done(self) -> None:
        self.handled.set()


@pytest.fixture
async def letters(brokers) -> DeadLetters:
    letters = DeadLetters(brokers("operator"), "resource", QUEUE)
    async with brokers("operator").connection() as connection:
        channel = await connection.channel()
        for name in (QUEUE, f"{QUEUE}.dead"):
            await (await channel.get_queue(name, ensure=False)).purge()
    return letters


@asynccontextmanager
async def running(*works: Consumer | Relay) -> AsyncIterator[None]:
    """All of them connected and at work during the block."""
    tasks = [asyncio.create_task(work.run()) for work in works]
    try:
        while not all(work.connected for work in works):
            await asyncio.sleep(0.01)
        yield
    finally:
        await end(*tasks)


@asynccontextmanager
async def consuming(brokers, sessions, handling, inbox=None, tries: int = 2) -> AsyncIterator[Consumer]:
    handlers = Handlers()
    handlers.add(UserRegistered, handling)
    inbox = inbox or PostgresInbox(sessions)
    delays = dict.fromkeys(range(1, tries), 1)
    consumer = Consumer("resource", QUEUE, brokers("resource"), inbox, handlers, prefetch=PREFETCH, delays=delays)
    async with running(consumer):
        yield consumer


async def publish(brokers, *bodies: bytes, event_type: str = UserRegistered.type, service: str = "auth") -> None:
    async with brokers(service).connection() as connection:
        publisher = await EventPublisher.on(connection)
        for body in bodies:
            await publisher.publish(new_id(), event_type, body, mandatory=True)


async def until(condition, seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not (await condition() if asyncio.iscoroutinefunction(condition) else condition()):
            await asyncio.sleep(0.02)


def sample(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"queue": QUEUE}) or 0


def consumed(outcome: str, event_type: str = UserRegistered.type) -> float:
    """How many events this process took so far that ended so."""
    labels = {"queue": QUEUE, "type": event_type, "outcome": outcome}
    return REGISTRY.get_sample_value("grove_events_consumed_total", labels) or 0


async def test_an_event_is_applied_once_however_often_it_comes(brokers, sessions, letters):
    body = outbox_event("auth", registered(), sequence=1).body
    handling, applied, again = Handling(), consumed("applied"), consumed("duplicate")
    async with consuming(brokers, sessions, handling):
        await publish(brokers, body, body, body)
        await until(lambda: consumed("applied") + consumed("duplicate") == applied + again + 3)
    assert len(handling.seen) == 1
    assert consumed("duplicate") == again + 2


async def test_how_long_an_event_took_is_measured_where_it_has_its_effect(brokers, sessions, letters):
    """From when it happened: one that is an hour old took an hour, and one from a clock ahead of ours no time."""
    count, total = sample("grove_event_latency_seconds_count"), sample("grove_event_latency_seconds_sum")
    again, handling, bodies = consumed("duplicate"), Handling(), []
    for hours in (1, -1):
        event = json.loads(outbox_event("auth", registered(), sequence=1).body)
        bodies.append(json.dumps(event | {"time": rfc3339(now() - timedelta(hours=hours))}).encode())
    async with consuming(brokers, sessions, handling):
        await publish(brokers, *bodies, *bodies)
        await until(lambda: len(handling.seen) == 2 and consumed("duplicate") == again + 2)
    assert sample("grove_event_latency_seconds_count") == count + 2
    assert 3600 <= sample("grove_event_latency_seconds_sum") - total < 3700


async def test_a_failure_is_retried_after_a_pause(brokers, sessions, letters):
    handling = Handling()
    handling.failures = [ValueError("first")]
    async with consuming(brokers, sessions, handling):
        started = asyncio.get_running_loop().time()
        await publish(brokers, outbox_event("auth", registered(), sequence=1).body)
        await until(handling.handled.is_set)
    assert len(handling.seen) == 2
    assert asyncio.get_running_loop().time() - started >= 1
    assert await letters.all() == []


async def test_poison_is_parked_with_its_reason_holds_nobody_up_and_can_be_replayed(brokers, sessions, letters):
    handling = Handling()
    handling.failures = [ValueError("first"), ValueError("second")]
    poison = outbox_event("auth", registered(), sequence=1)
    async with consuming(brokers, sessions, handling):
        await publish(brokers, poison.body)
        await until(lambda: len(handling.seen) == 2)
        other = outbox_event("auth", registered(), sequence=1)
        await publish(brokers, other.body)
        await until(handling.handled.is_set)

        async def parked() -> bool:
            return len(await letters.all()) == 1

        await until(parked)
        [letter] = await letters.all()
        assert letter.reason == "ValueError: second"
        assert letter.attempts == 2
        assert letter.first_failed < letter.last_failed
        assert json.loads(letter.event)["id"] == str(poison.id)
        handling.handled.clear()
        assert await letters.replay({letter.id}) == 1
        await until(handling.handled.is_set)
    assert await letters.all() == []
    assert [envelope.id for envelope in handling.seen].count(poison.id) == 3


async def test_a_reason_names_no_values(brokers, sessions, letters):
    async def insert(session, event) -> None:
        row = {"event_id": event.envelope.id, "moment": now()}
        await session.execute(text("INSERT INTO inbox (event_id, applied_at) VALUES (:event_id, :moment)"), row)

    event = outbox_event("auth", registered(), sequence=1)

    async def parked() -> bool:
        return len(await letters.all()) == 1

    async with consuming(brokers, sessions, insert):
        await publish(brokers, event.body)
        await until(parked)
    [letter] = await letters.all()
    assert "duplicate key value violates unique constraint" in letter.reason
    assert str(event.id) not in letter.reason


@pytest.fixture
def arrived(monkeypatch) -> list[AbstractIncomingMessage]:
    """What the broker handed to consumers so far, whether in hand or waiting."""
    arrived = []

    class Watched(asyncio.Queue):
        async def put(self, item) -> None:
            if isinstance(item, AbstractIncomingMessage):
                arrived.append(item)
            await super().put(item)

    monkeypatch.setattr("grove.messaging.consumer.asyncio.Queue", Watched)
    return arrived


@pytest.fixture
def taking(monkeypatch) -> list[int]:
    """How many events consumers had the broker hand them at once, by turns."""
    taking, consume = [], Intake._consume

    async def watched(self, prefetch: int) -> None:
        await consume(self, prefetch)
        taking.append(prefetch)

    monkeypatch.setattr(Intake, "_consume", watched)
    return taking


async def test_what_waits_is_applied_together_and_a_bad_one_fails_alone(brokers, sessions, letters, arrived, taking):
    """One event shows that there are new ones. The next holds the consumer while more arrive, as many as it takes; the
    twelfth always fails.
    """
    release, good, sizes, before = asyncio.Event(), [], [], consumed("retried")
    events = [outbox_event("auth", registered(), sequence=number) for number in range(1, 22)]

    class CountingInbox(PostgresInbox):
        async def apply(self, works):
            sizes.append(len(works))
            return await super().apply(works)

    async def handle(session, event) -> None:
        if event.sequence:
            await release.wait()
        if event.sequence == 12:
            raise ValueError("bad")

        async def done() -> None:
            good.append(event.sequence)

        event.after_commit.append(done)

    async def parked() -> bool:
        return len(await letters.all()) == 1

    async with consuming(brokers, sessions, handle, inbox=CountingInbox(sessions)):
        await publish(brokers, outbox_event("auth", registered(), sequence=0).body)
        await until(lambda: taking == [1, PREFETCH] and good == [0])
        for seen in (good, sizes, arrived):
            seen.clear()
        await publish(brokers, events[0].body)
        await until(lambda: sizes == [1])
        await publish(brokers, *(event.body for event in events[1:]))
        await until(lambda: len(arrived) == PREFETCH)
        assert sample("grove_events_in_hand") == PREFETCH
        release.set()
        await until(lambda: len(good) == 20)
        await until(parked)
        await until(lambda: sample("grove_events_in_hand") == 0)
    assert good == [number for number in range(1, 22) if number != 12]
    assert sizes[:2] == [1, PREFETCH - 1]
    assert consumed("retried") - before == 1, "the others of the batch were not sent round"
    [letter] = await letters.all()
    assert letter.reason == "ValueError: bad"


@pytest.mark.parametrize("kind", ["not json", "unknown type", "spoofed source", "wrong data", "refused"])
async def test_what_can_never_be_handled_is_parked_at_once(brokers, sessions, letters, kind):
    good = json.loads(outbox_event("auth", registered(), sequence=1).body)
    body = {
        "not json": b"not json",
        "unknown type": json.dumps(good | {"type": "auth.user.invented.v1"}).encode(),
        "spoofed source": json.dumps(good | {"source": "/grove/resource"}).encode(),
        "wrong data": json.dumps(good | {"data": {"user_id": "x"}}).encode(),
        "refused": json.dumps(good).encode(),
    }[kind]
    handling = Handling()
    handling.failures = [Unacceptable("not for us")] if kind == "refused" else []
    counted_as = UserRegistered.type if kind == "refused" else "unreadable"
    before = consumed("parked", counted_as)

    async def parked() -> bool:
        return len(await letters.all()) == 1

    async with consuming(brokers, sessions, handling):
        await publish(brokers, body)
        await until(parked)
        await until(lambda: consumed("parked", counted_as) == before + 1)
    assert not handling.handled.is_set()
    assert await letters.purge() == 1
    assert await letters.purge() == 0


async def test_one_whose_statement_is_cancelled_is_parked_and_holds_up_none_of_its_batch(
    brokers, sessions, settings, letters, arrived
):
    """Somebody holds what the third of five events needs for longer than a statement may take."""
    hurried = create_engine(settings.model_copy(update={"database_statement_timeout_ms": 500}))
    inbox = PostgresInbox(async_sessionmaker(hurried, expire_on_commit=False))
    before = {outcome: consumed(outcome) for outcome in ("applied", "waiting", "retried")}
    hold, seen = asyncio.Event(), []

    async def handle(session, event) -> None:
        seen.append(event.sequence)
        if event.sequence == 1:
            await hold.wait()
        if event.sequence == 3:
            await session.execute(text("SELECT pg_advisory_xact_lock(4711)"))

    async def parked() -> bool:
        return len(await letters.all()) == 1

    async with sessions.begin() as holder, consuming(brokers, sessions, handle, inbox=inbox):
        await holder.execute(text("SELECT pg_advisory_xact_lock(4711)"))
        events = [outbox_event("auth", registered(), sequence=number) for number in range(1, 6)]
        await publish(brokers, *(event.body for event in events))
        await until(lambda: len(arrived) == 5)
        hold.set()
        await until(parked, 20)
    [letter] = await letters.all()
    assert (letter.sequence, letter.attempts) == (3, 2)
    assert "canceling statement due to statement timeout" in letter.reason
    assert {outcome: consumed(outcome) - count for outcome, count in before.items()} == {
        "applied": 4,
        "waiting": 0,
        "retried": 1,
    }
    assert seen == [1, 2, 3, 2, 3, 4, 5, 3], "one together, then each alone, then the guilty one again"
    await hurried.dispose()


async def test_what_failed_before_is_applied_apart_from_the_others(brokers, sessions, letters, arrived):
    hold, sizes, seen = asyncio.Event(), [], []

    class CountingInbox(PostgresInbox):
        async def apply(self, works):
            sizes.append(len(works))
            return await super().apply(works)

    async def handle(session, event) -> None:
        await hold.wait()
        seen.append(event.sequence)

    bodies = [outbox_event("auth", registered(), sequence=number).body for number in range(1, 6)]
    async with (
        consuming(brokers, sessions, handle, inbox=CountingInbox(sessions)),
        brokers("resource").connection() as connection,
    ):
        exchange = await (await connection.channel()).get_exchange(internal_exchange("resource"), ensure=False)
        for number, body in enumerate(bodies, start=1):
            failed = {"x-grove-attempt": 2} if number in {2, 4} else {}
            again = message(body, message_id=str(new_id()), headers=failed)
            await exchange.publish(again, routing_key=QUEUE, mandatory=True)
        await until(lambda: len(arrived) == 5)
        hold.set()
        await until(lambda: len(seen) == 5)
    assert (sizes, seen) == ([1, 2, 1, 1], [1, 3, 5, 2, 4])


async def test_a_store_that_is_away_is_logged_and_is_no_failure_of_the_event(brokers, sessions, letters, monkeypatch):
    monkeypatch.setattr("grove.messaging.consumer.LOST_STORE_DELAY", 1)
    handling, failed_at = Handling(), []
    handling.failures = [StoreUnavailable("nobody answers"), ValueError("first"), ValueError("second")]

    async def handle(session, event) -> None:
        if len(handling.seen) == 1:
            failed_at.append(rfc3339(now()))
        await handling(session, event)

    async def parked() -> bool:
        return len(await letters.all()) == 1

    with capture_logs() as logs:
        async with consuming(brokers, sessions, handle):
            await publish(brokers, outbox_event("auth", registered(), sequence=1).body)
            await until(parked, 20)
    [letter] = await letters.all()
    assert (letter.attempts, letter.first_failed >= failed_at[0]) == (2, True)
    [waits] = [entry for entry in logs if entry["event"] == "consumer.waits"]
    assert (waits["queue"], waits["events"], waits["reason"]) == (QUEUE, 1, "nobody answers")


async def test_a_store_that_is_away_costs_no_tries(brokers, sessions, letters, monkeypatch):
    monkeypatch.setattr("grove.messaging.consumer.LOST_STORE_DELAY", 1)
    handling = Handling()
    handling.failures = [*[StoreUnavailable("away")] * 3, ValueError("has its one retry left")]
    async with consuming(brokers, sessions, handling):
        await publish(brokers, outbox_event("auth", registered(), sequence=1).body)
        await until(handling.handled.is_set, 12)
    assert len(handling.seen) == 5
    assert await letters.all() == []


async def test_a_handler_that_hangs_counts_as_failed(brokers, sessions, letters, monkeypatch):
    """Only the hanging one has little time, and more tries than one to begin in it."""
    monkeypatch.setattr("grove.messaging.consumer.HANDLER_SECONDS", 1)
    handling = Handling()
    hung = []

    async def hang(session, event) -> None:
        if not hung:
            hung.append(1)
            monkeypatch.setattr("grove.messaging.consumer.HANDLER_SECONDS", HANDLER_SECONDS)
            await asyncio.sleep(3600)
        await handling(session, event)

    async with consuming(brokers, sessions, hang, tries=4):
        await publish(brokers, outbox_event("auth", registered(), sequence=1).body)
        await until(handling.handled.is_set)
    assert len(hung) == len(handling.seen) == 1


async def test_the_broker_refuses_events_of_another_service(brokers, letters):
    body = outbox_event("auth", registered(), sequence=1).body
    with pytest.raises(BROKER_ERRORS):
        await publish(brokers, body, service="resource")


async def test_an_event_that_nobody_reads_is_an_error_when_it_should_be_read(brokers):
    with pytest.raises(BROKER_ERRORS):
        await publish(brokers, b"{}", event_type="auth.nobody.listens.v1")


async def test_from_commit_to_effect_through_relay_and_broker(brokers, sessions, engine, letters):
    """The whole way: outbox row → relay → broker → inbox."""
    relay = Relay(brokers("auth"), PostgresOutboxStore(engine), store_errors=STORE_ERRORS)
    handling = Handling()
    async with consuming(brokers, sessions, handling), running(relay):
        users = [new_id() for _ in range(150)]
        async with sessions.begin() as session:
            await Outbox(session, "auth").add(*((registered(user), 1) for user in users))
        await until(lambda: len(handling.seen) == 150)
    assert {envelope.subject for envelope in handling.seen} == {str(user) for user in users}


async def test_an_event_that_should_be_read_waits_until_somebody_can_and_holds_nobody_up(
    brokers, sessions, engine, letters, monkeypatch
):
    """A type's queues are not bound: the broker has nowhere to put its events, so they stay in the outbox.

    There are more of them than a batch holds, and what was written after them goes out meanwhile.
    """
    monkeypatch.setattr("grove.outbox.relay.REFUSED_SECONDS", 3600)
    refused, others = [new_id() for _ in range(BATCH + 20)], [new_id() for _ in range(10)]
    updated, known = Handling(), Handling()
    handlers = Handlers()
    handlers.add(UserUpdated, updated)
    handlers.add(UserRegistered, known)
    consumer = Consumer("resource", QUEUE, brokers("resource"), PostgresInbox(sessions), handlers, prefetch=PREFETCH)
    relay = Relay(brokers("auth"), PostgresOutboxStore(engine), store_errors=STORE_ERRORS)

    def published() -> float:
        return REGISTRY.get_sample_value("grove_events_published_total", {"type": UserUpdated.type}) or 0

    before = published()

    async def only_the_refused_wait() -> bool:
        async with sessions() as session:
            return await session.scalar(select(func.count()).select_from(OutboxRow)) == len(refused)

    async with running(relay, consumer):
        async with unbound(brokers, UserRegistered.type):
            async with sessions.begin() as session:
                await Outbox(session, "auth").add(*((registered(user), 1) for user in refused))
                await Outbox(session, "auth").add(*((changed(user), 1) for user in others))
            await until(lambda: len(updated.seen) == 10)
            await until(only_the_refused_wait)
            assert known.seen == []
        relay._resting = dict.fromkeys(relay._resting, 0.0)  # their rest is over
        await until(lambda: len(known.seen) == len(refused))
    assert published() - before == 10, "what was confirmed was not published again"


@asynccontextmanager
async def unbound(brokers, event_type: str) -> AsyncIterator[None]:
    """No queue takes this type during the block."""
    async with brokers("operator").connection() as connection:
        channel = await connection.channel()
        names = [queue_name(service) for service in ("resource", "notification", "provider-sync")]
        queues = [await channel.get_queue(name, ensure=False) for name in names]
        for queue in queues:
            await queue.unbind(EVENTS, event_type)
        try:
            yield
        finally:
            for queue in queues:
                await queue.bind(EVENTS, event_type)
