"""A fact as endpoints get it: the body that Standard Webhooks recommends."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from grove.contracts import auth
from grove.contracts.event import EventData
from grove.core.clock import rfc3339

_HIDDEN: dict[type[EventData], set[str]] = {auth.UserBlocked: {"reason"}}
"""What is for administrators."""
_PARTICIPANTS = "participants"
"""Whom else a task is shared with is for its owner to know."""


def of_fact(data: EventData, moment: datetime) -> str:
    """The body that tells of a fact."""
    hidden = {_PARTICIPANTS, *_HIDDEN.get(type(data), ())}
    return body(data.type, moment, data.model_dump(mode="json", exclude=hidden))


def message_id(event_id: UUID, user_id: UUID) -> UUID:
    """The `webhook-id` of an event's deliveries to a user's endpoints. Another user's has another one: who receives for
    both, and passes over ids that it knows, must lose neither.
    """
    return uuid5(event_id, str(user_id))


def body(event_type: str, moment: datetime, data: Mapping[str, Any]) -> str:
    """The text that is signed."""
    content = {"type": event_type, "timestamp": rfc3339(moment), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
