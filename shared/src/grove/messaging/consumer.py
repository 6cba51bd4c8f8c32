"""Consuming events: each has its effect once, is retried with growing delay, and parked when nothing helps."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage, HeadersType

from grove.core.clock import now, rfc3339
from grove.core.tasks import end, finish
from grove.messaging.broker import BROKER_ERRORS, Broker, closed, message
from grove.messaging.handlers import Handlers, StoreUnavailable, Unacceptable, Work, reason_of
from grove.messaging.intake import Intake
from grove.messaging.topology import RETRY_DELAYS, dead_queue_name, internal_exchange, retry_queue_name
from grove.observability.metrics import EVENT_LATENCY, EVENT_SECONDS, EVENTS_CONSUMED

log = structlog.get_logger()

BATCH = 25
HANDLER_SECONDS = 30
LOST_STORE_DELAY = 5
FINISH_SECONDS = 20
_COUNTED_BY_QUEUES = frozenset({"x-delivery-count", "x-acquired-count"})
UNREADABLE = "unreadable"
"""The type that metrics have of what can't be read: what it says of itself may be anything."""


class Inbox(Protocol):
    """Applies events exactly once (outbox/postgres.py)."""

    async def apply(self, works: Sequence[Work]) -> list[Work]:
        """Apply those that were not applied before, all or none; which those were. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message in hand, and what it asks for."""

    incoming: AbstractIncomingMessage
    work: Work


class Consumer:
    """Takes events from one queue and applies them through the inbox.

    What waits is applied together, in one transaction, in the order it came; nothing waits for a batch to fill.
    When a batch fails, each of its events is tried alone, so that one is retried or parked for its own fault only; what
    failed before is tried alone and after the others, and costs them no second transaction.
    One batch is in hand at a time: the next one grows meanwhile, which is quicker than several small ones at once.
    """

    def __init__(
        self,
        service: str,
        queue: str,
        broker: Broker,
        inbox: Inbox,
        handlers: Handlers,
        *,
        prefetch: int,
        delays: Mapping[int, int] | None = None,
    ) -> None:
        self.service = service
        self.queue = queue
        self._broker = broker
        self._inbox = inbox
        self._handlers = handlers
        self._prefetch = prefetch
        self._delays = delays or dict(enumerate(RETRY_DELAYS, start=1))
        self.connected = False

    async def run(self) -> None:
        """Consume until cancelled; a lost broker is looked for each second. At the end, work in hand is finished."""
        while True:
            try:
                await self._consume()
            except BROKER_ERRORS as error:
                log.warning("consumer.disconnected", queue=self.queue, error=str(error) or type(error).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(1)

    async def _consume(self) -> None:
        async with self._broker.connection() as connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            internal = await channel.get_exchange(internal_exchange(self.service), ensure=False)
            queue = await channel.get_queue(self.queue, ensure=False)
            intake = Intake(channel, queue, self._prefetch)
            await intake.begin()
            self.connected = True
            log.info("consumer.started", queue=self.queue)
            works = self._work(intake, internal), intake.run(), closed(connection, channel)
            tasks = [asyncio.create_task(work) for work in works]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                intake.drop()
            finally:
                await finish(intake.end(), FINISH_SECONDS)
                await end(*tasks)
                intake.drop()
            for task in tasks:
                if not task.cancelled():
                    task.result()

    async def _work(self, intake: Intake, internal: AbstractExchange) -> None:
        while True:
            batch = await intake.take(BATCH)
            try:
                await self._take(batch, internal)
            except BROKER_ERRORS as error:
                # Not answered: the broker delivers it again, and the inbox knows whether it was applied.
                log.warning("consumer.answer_lost", queue=self.queue, error=str(error) or type(error).__name__)
            finally:
                intake.done(len(batch))

    async def _take(self, batch: Sequence[AbstractIncomingMessage], internal: AbstractExchange) -> None:
        started = time.perf_counter()
        deliveries = []
        for incoming in batch:
            try:
                deliveries.append(_Delivery(incoming, self._handlers.parse(incoming.body)))
            except Unacceptable as reason:
                await self._park(incoming, internal, str(reason))
                EVENTS_CONSUMED.labels(self.queue, UNREADABLE, "parked").inc()
        if deliveries:
            for together in _apart(deliveries):
                await self._settle(together, internal)
            EVENT_SECONDS.labels(self.queue).observe(time.perf_counter() - started)

    async def _settle(self, deliveries: Sequence[_Delivery], internal: AbstractExchange) -> None:
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                applied = await self._inbox.apply([delivery.work for delivery in deliveries])
        except StoreUnavailable as reason:
            log.warning("consumer.waits", queue=self.queue, events=len(deliveries), reason=str(reason))
            for delivery in deliveries:
                await self._delay(delivery.incoming, internal, LOST_STORE_DELAY, _headers(delivery.incoming))
                self._count(delivery.work, "waiting")
        except Exception as failure:  # noqa: BLE001 - a handler may raise anything
            if len(deliveries) == 1:
                await self._failed(deliveries[0], internal, failure)
                return
            for delivery in deliveries:
                await self._settle([delivery], internal)
        else:
            await self._applied(deliveries, {work.id: work for work in applied})

    async def _applied(self, deliveries: Sequence[_Delivery], applied: dict[UUID, Work]) -> None:
        moment = now()
        for delivery in deliveries:
            work = applied.pop(delivery.work.id, None)
            self._count(delivery.work, "applied" if work else "duplicate")
            if work is not None:
                took = (moment - work.received.envelope.time).total_seconds()
                EVENT_LATENCY.labels(self.queue).observe(max(0.0, took))  # clocks of two hosts may differ
                await work.committed()
        for delivery in deliveries:
            await delivery.incoming.ack()

    async def _failed(self, delivery: _Delivery, internal: AbstractExchange, failure: Exception) -> None:
        if isinstance(failure, Unacceptable):
            await self._park(delivery.incoming, internal, str(failure))
            self._count(delivery.work, "parked")
            return
        log.error("event.failed", type=delivery.work.type, id=str(delivery.work.id), exc_info=failure)
        reason, attempt = reason_of(failure), attempt_of(delivery.incoming)
        delay = self._delays.get(attempt)
        if delay is None:
            await self._park(delivery.incoming, internal, reason)
            self._count(delivery.work, "parked")
        else:
            headers = _failure_headers(delivery.incoming, reason) | {"x-grove-attempt": attempt + 1}
            await self._delay(delivery.incoming, internal, delay, headers)
            self._count(delivery.work, "retried")

    def _count(self, work: Work, outcome: str) -> None:
        EVENTS_CONSUMED.labels(self.queue, work.type, outcome).inc()

    async def _delay(
        self, incoming: AbstractIncomingMessage, internal: AbstractExchange, delay: int, headers: HeadersType
    ) -> None:
        await self._move(incoming, internal, retry_queue_name(self.queue, delay), headers)

    async def _park(self, incoming: AbstractIncomingMessage, internal: AbstractExchange, reason: str) -> None:
        log.error("event.parked", queue=self.queue, message_id=incoming.message_id, reason=reason)
        await self._move(incoming, internal, dead_queue_name(self.queue), _failure_headers(incoming, reason))

    async def _move(
        self, incoming: AbstractIncomingMessage, internal: AbstractExchange, queue: str, headers: HeadersType
    ) -> None:
        """To another queue: acknowledged here once it is safe there."""
        await internal.publish(
            message(incoming.body, message_id=incoming.message_id or "", headers=headers),
            routing_key=queue,
            mandatory=True,
            timeout=10,
        )
        await incoming.ack()


def attempt_of(incoming: AbstractIncomingMessage) -> int:
    """Which try of its handling this delivery is, from 1."""
    attempt = (incoming.headers or {}).get("x-grove-attempt", 1)
    return attempt if isinstance(attempt, int) else 1


def _apart(deliveries: Sequence[_Delivery]) -> list[list[_Delivery]]:
    """What is applied together: all that never failed; then what did, each alone."""
    fresh = [delivery for delivery in deliveries if attempt_of(delivery.incoming) == 1]
    failed = [[delivery] for delivery in deliveries if attempt_of(delivery.incoming) > 1]
    return [fresh, *failed] if fresh else failed


def _headers(incoming: AbstractIncomingMessage) -> HeadersType:
    """Those that go on with the event. What a queue counted is its own."""
    return {name: value for name, value in (incoming.headers or {}).items() if name not in _COUNTED_BY_QUEUES}


def _failure_headers(incoming: AbstractIncomingMessage, reason: str) -> HeadersType:
    headers, moment = _headers(incoming), rfc3339(now())
    headers.setdefault("x-grove-first-failed", moment)
    headers["x-grove-last-failed"] = moment
    headers["x-grove-reason"] = reason[:1000]
    headers.setdefault("x-grove-attempt", attempt_of(incoming))
    return headers
