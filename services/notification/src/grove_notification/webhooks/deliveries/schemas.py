"""Deliveries as JSON."""

from dataclasses import dataclass
from typing import Annotated, Literal, cast
from uuid import UUID

from pydantic import Field, model_validator

from grove.core.clock import now
from grove.core.schema import Incoming, Moment, Outgoing
from grove_notification.models import WebhookDelivery

DeliveryStatus = Literal["pending", "delivered", "failed"]


@dataclass(slots=True, kw_only=True)
class DeliveryRead:
    """An event on its way to an endpoint, or told. `message_id` is the `webhook-id` of each try.

    `next_attempt_at` is null once it has ended, and while a try is under way.
    """

    id: UUID
    event_id: UUID
    message_id: UUID
    event_type: str
    status: DeliveryStatus
    attempts: int
    response_status: int | None
    response_excerpt: str | None
    error: str | None
    next_attempt_at: Moment | None
    created_at: Moment
    finished_at: Moment | None


@dataclass(slots=True, kw_only=True)
class TryRead:
    """One POST, and what came of it: a `response_status`, or an `error` in words instead; an `error` beside a status
    says why that is a failure.
    """

    at: Moment
    duration_ms: int
    response_status: int | None
    response_excerpt: str | None
    error: str | None


@dataclass(slots=True, kw_only=True)
class DeliveryWithTries(DeliveryRead):
    """A delivery with what is posted, byte for byte, and the newest of its tries, the oldest of them first."""

    body: str
    tries: list[TryRead]


def delivery_read(row: WebhookDelivery) -> DeliveryRead:
    """From a row that was changed."""
    return DeliveryRead(
        id=row.id,
        event_id=row.event_id,
        message_id=row.message_id,
        event_type=row.event_type,
        status=cast("DeliveryStatus", row.status),
        attempts=row.attempts,
        response_status=row.response_status,
        response_excerpt=row.response_excerpt,
        error=row.last_error,
        next_attempt_at=row.next_attempt_at if row.leased_until is None else None,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


class Queued(Outgoing):
    """How many deliveries were queued. `next_since`: more are left, from that moment on; null: none are."""

    queued: int
    next_since: Moment | None


class Redelivery(Incoming):
    """Which ended deliveries to send once more: those of a time range, by when they were created."""

    since: Moment
    until: Moment | None = None
    status: Annotated[Literal["failed", "all"], Field(description="all: those that were delivered as well")] = "failed"

    @model_validator(mode="after")
    def _in_order(self) -> "Redelivery":
        if self.until is not None and self.until <= self.since:
            raise ValueError("`until` must be later than `since`")
        if self.since > now():
            raise ValueError("`since` must not be in the future")
        return self
