"""What is told of event types: in words, and as JSON Schema of what is posted."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from grove.contracts.catalogue import CATALOGUE
from grove.contracts.event import EventData
from grove_notification.webhooks.deliveries.payload import hidden
from grove_notification.webhooks.event_types import EVENT_TYPES, scope_of
from grove_notification.webhooks.schemas import EventTypeRead, EventTypesRead


@cache
def event_types() -> str:
    """All types that webhooks may subscribe to, as JSON. Made once: it is the same for everybody."""
    models = {published.type: published.model for published in CATALOGUE}
    items = [
        EventTypeRead(type=name, description=text, scope=scope_of(name), schema=_schema(models[name]))
        for name, text in EVENT_TYPES.items()
    ]
    return TypeAdapter(EventTypesRead).dump_json(EventTypesRead(items=items)).decode()


def _schema(model: type[EventData]) -> dict[str, Any]:
    """Of `data`, as it is posted: without what is hidden, and without titles, which say a name twice."""
    whole = model.model_json_schema(mode="serialization")
    told = {name: field for name, field in whole["properties"].items() if name not in hidden(model)}
    for field in told.values():
        field.pop("title", None)
    return {
        "description": whole["description"],
        "type": "object",
        "properties": told,
        "required": [name for name in whole["required"] if name in told],
    }
