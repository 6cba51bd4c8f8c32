"""A fact as endpoints get it: the body that Standard Webhooks recommends."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from grove.contracts import auth
from grove.contracts.event import EventData
from grove.core.clock import rfc3339
from grove.messaging.handlers import Received
from grove_notification.webhooks.event_types import TEST

_HIDDEN: dict[type[EventData], set[str]] = {auth.UserBlocked: {"reason"}}
"""What is for administrators."""
_PARTICIPANTS = "participants"
"""Whom else a task is shared with is for its owner to know."""


def of_fact(event: Received[Any]) -> str:
    """The body that tells of a fact. `sequence` grows with each event of one `subject`."""
    envelope, data = event.envelope, event.data
    told = data.model_dump(mode="json", exclude=hidden(type(data)))
    return _text(envelope.type, envelope.time, told, subject=envelope.subject, sequence=envelope.sequence)


def hidden(model: type[EventData]) -> set[str]:
    """Fields of a fact that no endpoint gets."""
    return {_PARTICIPANTS, *_HIDDEN.get(model, ())}


def message_id(event_id: UUID, user_id: UUID) -> UUID:
    """The `webhook-id` of an event's deliveries to a user's endpoints. Another user's has another one: who receives for
    both, and passes over ids that it knows, must lose neither.
    """
    return uuid5(event_id, str(user_id))


def of_test(moment: datetime, webhook_id: UUID) -> str:
    """The body that says nothing."""
    return _text(TEST, moment, {"webhook_id": str(webhook_id)})


def _text(event_type: str, moment: datetime, data: Mapping[str, Any], **more: str | int) -> str:
    """What is signed."""
    content = {"type": event_type, "timestamp": rfc3339(moment), **more, "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
