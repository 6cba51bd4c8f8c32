"""Webhooks as JSON."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.schema import Incoming, Moment
from grove.core.text import CleanText
from grove_notification.models import Webhook
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
    Field(
        description="One delivery at a time, each when the one before has ended; of what waits, the earliest event's"
    ),
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
    """The fields to change. Setting the status to active ends what is known of failures: what waits is sent."""

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
    """A webhook. `public_key` is null but for `v1a`; `failing_since`: when it began to take nothing;
    `resume_at`: it asked for nothing before that.
    """

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
    resume_at: Moment | None
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


@dataclass(slots=True, kw_only=True)
class EventTypeRead:
    """A type that webhooks may subscribe to. `scope`: what a token needs to; `schema`: JSON Schema of `data`."""

    type: str
    description: str
    scope: str
    schema: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class EventTypesRead:
    """All of them."""

    items: list[EventTypeRead]
