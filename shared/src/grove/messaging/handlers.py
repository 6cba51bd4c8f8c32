"""What a service does about each type of event."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import ValidationError

from grove.contracts.event import Envelope, EventData
from grove.core.context import RequestContext, use_context

log = structlog.get_logger()
tracer = trace.get_tracer("grove.messaging")

D = TypeVar("D", bound=EventData)


class StoreUnavailable(Exception):
    """The consumer's own store is away: the event waits and no try is counted."""


class Unacceptable(Exception):
    """The message can't ever be handled: it is parked at once."""


def reason_of(failure: Exception) -> str:
    """The first line of what went wrong: further down, databases say which values they refused."""
    said = str(failure).strip().splitlines()
    return f"{type(failure).__name__}: {said[0] if said else 'it says no more'}"


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
"""`await handler(session, received)`: applies the event in the session's transaction, and does nothing outside it."""


Last = Callable[[Any], Awaitable[None]]
"""`await last(session)`: the end of a transaction that applied events."""


@dataclass(frozen=True, slots=True)
class Work:
    """An event and the handler that applies it."""

    handler: Handler
    received: Received[Any]
    last: Last | None = None

    @property
    def id(self) -> UUID:
        """The event's id."""
        return self.received.envelope.id

    @property
    def type(self) -> str:
        """The event's type."""
        return self.received.envelope.type

    async def apply(self, session: Any) -> None:
        """Run the handler, under the request id and the trace that caused the event."""
        envelope = self.received.envelope
        self.received.after_commit.clear()  # of a try that was rolled back
        parent = TraceContextTextMapPropagator().extract({"traceparent": envelope.traceparent or ""})
        with (
            use_context(self._context()),
            tracer.start_as_current_span(f"process {envelope.type}", parent, SpanKind.CONSUMER),
        ):
            await self.handler(session, self.received)

    async def committed(self) -> None:
        """Run what the handler left for after the commit. Failures are logged."""
        if not self.received.after_commit:
            return
        with use_context(self._context()):
            for action in self.received.after_commit:
                try:
                    await action()
                except Exception:
                    log.exception("event.after_commit_failed", type=self.type)

    def _context(self) -> RequestContext:
        envelope = self.received.envelope
        return RequestContext(
            request_id=envelope.requestid or str(envelope.id),
            user_id=envelope.actorid,
            route=envelope.type,
            traceparent=envelope.traceparent,
        )


async def apply_all(works: Sequence[Work], session: Any) -> None:
    """Apply events in one transaction, and end it as their service wants."""
    for work in works:
        await work.apply(session)
    for last in {work.last for work in works if work.last is not None}:
        await last(session)


class Handlers:
    """Event type → handler: the list of what a service consumes.

    `last` runs once at the end of each transaction, however many events it applied: for what is cheaper written
    together, or holds locks that others wait for.
    """

    def __init__(self, *, last: Last | None = None) -> None:
        self._last = last
        self._by_type: dict[str, tuple[type[EventData], Handler]] = {}

    def add(self, model: type[D], handler: Callable[[Any, Received[D]], Awaitable[None]]) -> None:
        """Have `handler` apply events of `model`."""
        self._by_type[model.type] = (model, handler)

    def parse(self, body: bytes) -> Work:
        """What to do about a message body. Raises Unacceptable."""
        try:
            envelope = Envelope.model_validate_json(body)
            known = self._by_type.get(envelope.type)
            if known is None:
                raise Unacceptable(f"nothing here handles events of type {envelope.type}")
            if envelope.service.replace("-", "_") != envelope.type.split(".", 1)[0]:
                raise Unacceptable(f"{envelope.source} may not publish {envelope.type}")
            model, handler = known
            return Work(handler, Received(envelope, model.model_validate(envelope.data)), self._last)
        except ValidationError as invalid:
            raise Unacceptable(f"not a valid event: {_faults(invalid)}") from None


def _faults(invalid: ValidationError) -> str:
    """Which parts are wrong and why, without what they say: `user_id: Field required`."""
    told = invalid.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(str(part) for part in error['loc']) or 'it'}: {error['msg']}" for error in told)
