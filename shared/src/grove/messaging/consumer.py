"""Consuming events: each has its effect once, is retried with growing delay, and parked when nothing helps."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import structlog
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage, HeadersType
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import ValidationError

from grove.contracts.event import Envelope, EventData
from grove.core.clock import now, rfc3339
from grove.core.context import RequestContext, use_context
from grove.messaging.broker import BROKER_ERRORS, Broker, closed, message
from grove.messaging.topology import RETRY_DELAYS, dead_queue_name, internal_exchange, retry_queue_name
from grove.observability.metrics import EVENT_SECONDS, EVENTS_CONSUMED

log = structlog.get_logger()
tracer = trace.get_tracer("grove.messaging")

HANDLER_SECONDS = 30
LOST_STORE_DELAY = 5
D = TypeVar("D", bound=EventData)


class StoreUnavailable(Exception):
    """The consumer's own store is away: the event waits and no try is counted."""


class Unacceptable(Exception):
    """The message can't ever be handled: it is parked at once."""


@dataclass(slots=True)
class Received(Generic[D]):
    """One event as a handler sees it."""

    envelope: Envelope
    data: D
    after_commit: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What to do once the effect is safe; best effort, for what can be lost (a live push)."""

    @property
    def sequence(self) -> int:
        """The aggregate's number of this event: a handler of state ignores one below what it has."""
        return self.envelope.sequence


Handler = Callable[[Any, Received[Any]], Awaitable[None]]
"""`await handler(session, received)`: applies the event in the session's transaction."""


class Inbox(Protocol):
    """Applies an event exactly once (outbox/inbox.py for PostgreSQL, outbox/mongo.py for MongoDB)."""

    async def apply(self, handler: Handler, received: Received[Any]) -> bool:
        """Run the handler in one transaction with the inbox entry; False when the event was applied before."""
        ...


class Handlers:
    """Event type → handler: the list of what a service consumes."""

    def __init__(self) -> None:
        self._by_type: dict[str, tuple[type[EventData], Handler]] = {}

    def add(self, model: type[D], handler: Callable[[Any, Received[D]], Awaitable[None]]) -> None:
        """Have `handler` apply events of `model`."""
        self._by_type[model.type] = (model, handler)

    def parse(self, body: bytes) -> tuple[Handler, Received[Any]]:
        """Handler and event for a message body. Raises Unacceptable."""
        try:
            envelope = Envelope.model_validate_json(body)
            known = self._by_type.get(envelope.type)
            if known is None:
                raise Unacceptable(f"nothing here handles events of type {envelope.type}")
            if envelope.service.replace("-", "_") != envelope.type.split(".", 1)[0]:
                raise Unacceptable(f"{envelope.source} may not publish {envelope.type}")
            model, handler = known
            return handler, Received(envelope, model.model_validate(envelope.data))
        except ValidationError as invalid:
            raise Unacceptable(f"not a valid event: {invalid.errors(include_input=False)}") from None


class Consumer:
    """Takes events from one queue, several at a time, and applies them through the inbox."""

    def __init__(
        self,
        service: str,
        queue: str,
        broker: Broker,
        inbox: Inbox,
        handlers: Handlers,
        *,
        prefetch: int,
        concurrency: int = 8,
        delays: Mapping[int, int] | None = None,
    ) -> None:
        self.service = service
        self.queue = queue
        self._broker = broker
        self._inbox = inbox
        self._handlers = handlers
        self._prefetch = prefetch
        self._slots = asyncio.Semaphore(concurrency)
        self._delays = delays or dict(enumerate(RETRY_DELAYS, start=1))
        self._in_hand: set[asyncio.Task[None]] = set()
        self.connected = False

    async def run(self) -> None:
        """Consume until cancelled; a lost broker is looked for each second. At the end, work in hand is finished."""
        try:
            while True:
                try:
                    await self._consume()
                except BROKER_ERRORS as error:
                    log.warning("consumer.disconnected", queue=self.queue, error=str(error) or type(error).__name__)
                finally:
                    self.connected = False
                await asyncio.sleep(1)
        finally:
            await self._finish()

    async def _consume(self) -> None:
        async with self._broker.connection() as connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.set_qos(prefetch_count=self._prefetch)
            internal = await channel.get_exchange(internal_exchange(self.service), ensure=False)
            queue = await channel.get_queue(self.queue, ensure=False)

            async def take(incoming: AbstractIncomingMessage) -> None:
                task = asyncio.create_task(self._take(incoming, internal))
                self._in_hand.add(task)
                task.add_done_callback(self._in_hand.discard)

            tag = await queue.consume(take)
            self.connected = True
            log.info("consumer.started", queue=self.queue)
            try:
                await closed(connection)
            except asyncio.CancelledError:
                await queue.cancel(tag)
                await self._finish()
                raise

    async def _finish(self) -> None:
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=20)

    async def _take(self, incoming: AbstractIncomingMessage, internal: AbstractExchange) -> None:
        async with self._slots:
            try:
                await self._handle(incoming, internal)
                await incoming.ack()
            except BROKER_ERRORS as error:
                # Not answered: the broker delivers it again, and the inbox knows whether it was applied.
                log.warning("consumer.answer_lost", queue=self.queue, error=str(error) or type(error).__name__)

    async def _handle(self, incoming: AbstractIncomingMessage, internal: AbstractExchange) -> None:
        try:
            handler, received = self._handlers.parse(incoming.body)
        except Unacceptable as reason:
            await self._park(incoming, internal, str(reason))
            return
        envelope = received.envelope
        context = RequestContext(
            request_id=envelope.requestid or str(envelope.id),
            user_id=envelope.actorid,
            route=envelope.type,
            traceparent=envelope.traceparent,
        )
        parent = TraceContextTextMapPropagator().extract({"traceparent": envelope.traceparent or ""})
        with (
            use_context(context),
            tracer.start_as_current_span(f"process {envelope.type}", parent, SpanKind.CONSUMER),
            EVENT_SECONDS.labels(self.queue).time(),
        ):
            outcome = await self._apply(handler, received, incoming, internal)
        EVENTS_CONSUMED.labels(self.queue, envelope.type, outcome).inc()

    async def _apply(
        self,
        handler: Handler,
        received: Received[Any],
        incoming: AbstractIncomingMessage,
        internal: AbstractExchange,
    ) -> str:
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                applied = await self._inbox.apply(handler, received)
        except StoreUnavailable as reason:
            await self._delay(incoming, internal, LOST_STORE_DELAY, str(reason), counts=False)
            return "waiting"
        except Unacceptable as reason:
            await self._park(incoming, internal, str(reason))
            return "parked"
        except Exception as failure:
            log.exception("event.failed", type=received.envelope.type, id=str(received.envelope.id))
            return await self._retry(incoming, internal, f"{type(failure).__name__}: {failure}")
        for action in received.after_commit if applied else ():
            try:
                await action()
            except Exception:
                log.exception("event.after_commit_failed", type=received.envelope.type)
        return "applied" if applied else "duplicate"

    async def _retry(self, incoming: AbstractIncomingMessage, internal: AbstractExchange, reason: str) -> str:
        delay = self._delays.get(attempt_of(incoming))
        if delay is None:
            await self._park(incoming, internal, reason)
            return "parked"
        await self._delay(incoming, internal, delay, reason, counts=True)
        return "retried"

    async def _delay(
        self,
        incoming: AbstractIncomingMessage,
        internal: AbstractExchange,
        delay: int,
        reason: str,
        *,
        counts: bool,
    ) -> None:
        headers = _failure_headers(incoming, reason)
        headers["x-grove-attempt"] = attempt_of(incoming) + (1 if counts else 0)
        await internal.publish(
            message(incoming.body, message_id=incoming.message_id or "", headers=headers),
            routing_key=retry_queue_name(self.queue, delay),
            mandatory=True,
            timeout=10,
        )

    async def _park(self, incoming: AbstractIncomingMessage, internal: AbstractExchange, reason: str) -> None:
        log.error("event.parked", queue=self.queue, message_id=incoming.message_id, reason=reason)
        await internal.publish(
            message(
                incoming.body,
                message_id=incoming.message_id or "",
                headers=_failure_headers(incoming, reason),
            ),
            routing_key=dead_queue_name(self.queue),
            mandatory=True,
            timeout=10,
        )


def attempt_of(incoming: AbstractIncomingMessage) -> int:
    """Which try of its handling this delivery is, from 1."""
    attempt = (incoming.headers or {}).get("x-grove-attempt", 1)
    return attempt if isinstance(attempt, int) else 1


def _failure_headers(incoming: AbstractIncomingMessage, reason: str) -> HeadersType:
    headers = dict(incoming.headers or {})
    moment = rfc3339(now())
    headers.setdefault("x-grove-first-failed", moment)
    headers["x-grove-last-failed"] = moment
    headers["x-grove-reason"] = reason[:1000]
    headers.setdefault("x-grove-attempt", attempt_of(incoming))
    return headers
