"""From event data to the row that an outbox keeps."""

import zlib
from dataclasses import dataclass, field
from uuid import UUID

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from grove.contracts.catalogue import BY_TYPE
from grove.contracts.event import Envelope, EventData
from grove.core.clock import now
from grove.core.context import current_context
from grove.core.ids import new_id

PARTITIONS = 16
"""Aggregates are spread over this many lanes; one relay at a time works in a lane, which keeps their order."""


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """A serialised event, ready to publish."""

    id: UUID
    partition: int
    type: str
    body: bytes

    @property
    def mandatory(self) -> bool:
        """Whether an unroutable message is an error: the catalogue names a consumer."""
        published = BY_TYPE.get(self.type)
        return published is not None and bool(published.consumers)


@dataclass(slots=True)
class Claim:
    """Unsent events that one relay works on. What is not in `published` at the end stays in the outbox."""

    events: list[OutboxEvent]
    published: set[UUID] = field(default_factory=set)


def outbox_event(service: str, data: EventData, *, sequence: int) -> OutboxEvent:
    """The envelope around `data`, with request id, actor and trace of the present context."""
    context = current_context()
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    subject = data.subject()
    envelope = Envelope(
        id=new_id(),
        source=f"/grove/{service}",
        type=data.type,
        subject=subject,
        time=data.happened_at() or now(),
        data=data.model_dump(mode="json"),
        traceparent=carrier.get("traceparent"),
        requestid=context.request_id if context else None,
        actorid=context.user_id if context else None,
        sequence=sequence,
    )
    return OutboxEvent(
        envelope.id, zlib.crc32(subject.encode()) % PARTITIONS, data.type, envelope.model_dump_json().encode()
    )
