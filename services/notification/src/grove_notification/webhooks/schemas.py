"""Webhooks as JSON."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from grove.core.clock import now
from grove.core.schema import Incoming, Moment, Outgoing
from grove.core.text import CleanText
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.event_types import MOST, unknown
from grove_notification.webhooks.signing import Signature
from grove_notification.webhooks.targets import MAX_URL

Status = Literal["active", "disabled"]


def _known(types: list[str]) -> list[str]:
    wrong = unknown(types)
    if wrong:
        raise ValueError(f"{wrong[0]!r} matches no event type; GET /webhooks/event-types lists them")
    return list(dict.fromkeys(types))


Url = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_URL),
    Field(
        description="Where deliveries are posted: https, a public address; redirects are not followed",
        examples=["https://example.com/hooks/grove"],
    ),
]
EventTypes = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=100)]],
    Field(
        min_length=1,
        max_length=MOST,
        description="Exact types, `*` for all, or a beginning such as `resource.task.*`",
        examples=[["resource.task.*"]],
    ),
    AfterValidator(_known),
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), CleanText]
Ordered = Annotated[
    bool,
    Field(description="One delivery at a time, each when the one before has ended, in the order of the events"),
]


class WebhookCreate(Incoming):
    """A new webhook."""

    url: Url
    event_types: EventTypes
    description: Description = ""
    signature: Annotated[
        Signature,
        Field(description="v1: HMAC-SHA256 by a shared secret; v1a: ed25519, checked with a public key. Stays"),
    ] = "v1"
    ordered: Ordered = False


class WebhookReplace(Incoming):
    """All writable fields of a webhook."""

    url: Url
    event_types: EventTypes
    description: Description
    ordered: Ordered
    status: Status


class WebhookPatch(Incoming):
    """The fields to change. Setting the status to active ends what is known of failures."""

    url: Url = ""
    event_types: EventTypes = []
    description: Description = ""
    ordered: Ordered = False
    status: Status = "active"


class Rotation(Incoming):
    """How to rotate."""

    overlap_hours: Annotated[
        int,
        Field(ge=0, le=24, description="How long the former secret signs beside the new one; 0: not at all, at once"),
    ] = 24


@dataclass(slots=True, kw_only=True)
class WebhookRead:
    """A webhook. `public_key` is null but for `v1a`; `failing_since`: when it began to take nothing."""

    id: UUID
    url: str
    event_types: list[str]
    description: str
    signature: Signature
    public_key: str | None
    ordered: bool
    status: Status
    disabled_reason: str | None
    failing_since: Moment | None
    created_at: Moment
    updated_at: Moment


@dataclass(slots=True, kw_only=True)
class WebhookWithSecret(WebhookRead):
    """A webhook with its new secret, which is shown this once; null for `v1a`, where nobody else needs one."""

    secret: str | None


def read(row: Webhook) -> WebhookRead:
    """From a row that was made or changed."""
    return WebhookRead(**_fields(row))


def read_with_secret(row: Webhook, secret: str | None) -> WebhookWithSecret:
    """The same, once."""
    return WebhookWithSecret(**_fields(row), secret=secret)


def _fields(row: Webhook) -> dict[str, Any]:
    return {name: getattr(row, name) for name in WebhookRead.__dataclass_fields__}


class EventTypeRead(Outgoing):
    """A type that webhooks may subscribe to."""

    type: str
    description: str


class EventTypesRead(Outgoing):
    """All of them."""

    items: list[EventTypeRead]


DeliveryStatus = Literal["pending", "delivered", "failed"]


@dataclass(slots=True, kw_only=True)
class DeliveryRead:
    """An event on its way to an endpoint, or told. `event_id` is the `webhook-id` of each try.

    `next_attempt_at` is null once it has ended, and while a try is under way.
    """

    id: UUID
    event_id: UUID
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
    """From a row that was queued."""
    return DeliveryRead(
        id=row.id,
        event_id=row.event_id,
        event_type=row.event_type,
        status="pending",
        attempts=row.attempts,
        response_status=row.response_status,
        response_excerpt=row.response_excerpt,
        error=row.last_error,
        next_attempt_at=row.next_attempt_at,
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
