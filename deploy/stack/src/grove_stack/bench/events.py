"""Events per second from a committed outbox row to its effect, beside bare aio-pika carrying the same messages."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import ClassVar

from aio_pika.abc import AbstractExchange, AbstractIncomingMessage

from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.broker import Broker, message
from grove.messaging.consumer import Consumer
from grove.messaging.handlers import Handlers, Received
from grove.messaging.topology import EVENTS, queue_name
from grove.outbox.event import outbox_event
from grove.outbox.postgres import Outbox
from grove.outbox.relay import Relay
from grove.postgres.engine import STORE_ERRORS
from grove.postgres.reads import Statement
from grove.service.postgres import PostgresResources, PostgresServiceSettings
from grove_stack.plan import Plan
from grove_stack.services import SERVICES

COUNT = 3000
_QUEUE = queue_name("notification")
_APPLIED = Statement("SELECT count(*) FROM inbox")


class _Publisher(PostgresServiceSettings):
    service: ClassVar[str] = "resource"


class _Taker(PostgresServiceSettings):
    service: ClassVar[str] = "notification"


def _resources(plan: Plan, kind: type[PostgresServiceSettings]) -> PostgresResources:
    service = next(service for service in SERVICES if service.name == kind.service)
    plan.layout.ensure_identity(service.name, f"{service.name}-bench")
    os.environ.update(plan.environment(service, f"{service.name}-bench"))
    return PostgresResources(kind())


def _fact() -> TaskCreated:
    return TaskCreated(task_id=new_id(), user_id=new_id(), title="Plant a tree", created_at=now())


async def through_outbox(plan: Plan) -> float:
    """Written to resource's outbox, relayed, applied with notification's inbox; the workers must be stopped."""
    publisher, taker = _resources(plan, _Publisher), _resources(plan, _Taker)
    applied = 0
    done = asyncio.Event()

    async def count() -> None:
        nonlocal applied
        applied += 1
        if applied == COUNT:
            done.set()

    async def handler(_: object, event: Received[TaskCreated]) -> None:
        event.after_commit.append(count)

    handlers = Handlers()
    handlers.add(TaskCreated, handler)
    consumer = Consumer("notification", _QUEUE, taker.broker, taker.inbox, handlers, prefetch=64)
    relay = Relay(publisher.broker, publisher.outbox, store_errors=STORE_ERRORS)
    tasks = [asyncio.create_task(consumer.run()), asyncio.create_task(relay.run())]
    while not (consumer.connected and relay.connected):
        await asyncio.sleep(0.05)
    began = time.perf_counter()
    for _ in range(COUNT // 100):
        async with publisher.sessions.begin() as session:
            await Outbox(session, "resource").add(*((_fact(), 1) for _ in range(100)))
    async with asyncio.timeout(120):
        await done.wait()
    rate = COUNT / (time.perf_counter() - began)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await publisher.aclose()
    await taker.aclose()
    return rate


async def publish(plan: Plan, facts: Sequence[TaskCreated]) -> None:
    """Have the resource service's word of them go out, by the broker alone."""
    publisher = _resources(plan, _Publisher)
    async with publisher.broker.connection() as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange(EVENTS, ensure=False)
        await asyncio.gather(*(_publish(exchange, outbox_event("resource", fact, sequence=1).body) for fact in facts))
    await publisher.aclose()


async def told(plan: Plan) -> float:
    """Facts of tasks through the running notification worker: each a notification and two frames, told by choice."""
    taker = _resources(plan, _Taker)
    before = await taker.reads.scalar(_APPLIED)
    began = time.perf_counter()
    await publish(plan, [_fact() for _ in range(COUNT)])
    async with asyncio.timeout(120):
        while await taker.reads.scalar(_APPLIED) < before + COUNT:
            await asyncio.sleep(0.05)
    rate = COUNT / (time.perf_counter() - began)
    await taker.aclose()
    return rate


async def bare(plan: Plan) -> float:
    """The same messages, published with confirms and consumed with acks, without any store."""
    publisher, taker = _resources(plan, _Publisher), _resources(plan, _Taker)
    bodies = [outbox_event("resource", _fact(), sequence=1).body for _ in range(COUNT)]
    rate = await _carry(publisher.broker, taker.broker, bodies)
    await publisher.aclose()
    await taker.aclose()
    return rate


async def _carry(sender: Broker, receiver: Broker, bodies: list[bytes]) -> float:
    async with sender.connection() as out, receiver.connection() as into:
        exchange = await (await out.channel(publisher_confirms=True, on_return_raises=True)).get_exchange(
            EVENTS, ensure=False
        )
        channel = await into.channel()
        await channel.set_qos(prefetch_count=64)
        done = asyncio.Event()
        taken = 0

        async def take(incoming: AbstractIncomingMessage) -> None:
            nonlocal taken
            await incoming.ack()
            taken += 1
            if taken == len(bodies):
                done.set()

        await (await channel.get_queue(_QUEUE, ensure=False)).consume(take)
        began = time.perf_counter()
        for start in range(0, len(bodies), 100):
            batch = bodies[start : start + 100]
            await asyncio.gather(*(_publish(exchange, body) for body in batch))
        async with asyncio.timeout(120):
            await done.wait()
        return len(bodies) / (time.perf_counter() - began)


async def _publish(exchange: AbstractExchange, body: bytes) -> None:
    await exchange.publish(message(body, message_id=str(new_id())), routing_key=TaskCreated.type, mandatory=True)
