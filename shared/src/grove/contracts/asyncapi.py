"""The AsyncAPI 3 document of the catalogue."""

from typing import Any

from grove.contracts.catalogue import CATALOGUE
from grove.contracts.event import Envelope


def document() -> dict[str, Any]:
    """AsyncAPI 3.0: a channel, a message and a publishing operation for each event."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for published in CATALOGUE:
        name = published.type.replace(".", "_")
        envelope = Envelope.model_json_schema()
        envelope["properties"]["type"] = {"const": published.type}
        envelope["properties"]["data"] = published.model.model_json_schema(
            ref_template=f"#/components/messages/{name}/payload/$defs/{{model}}"
        )
        messages[name] = {
            "name": published.type,
            "title": published.model.__name__,
            "summary": (published.model.__doc__ or "").strip(),
            "contentType": "application/cloudevents+json",
            "payload": envelope,
        }
        channels[name] = {
            "address": published.type,
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {"name": "grove.events", "type": "topic", "durable": True},
                }
            },
        }
        operations[f"publish_{name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": f"{published.publisher} → {', '.join(published.consumers) or 'whoever binds it'}",
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Grove events",
            "version": "1.0.0",
            "description": "Facts that Grove's services publish to the topic exchange `grove.events`.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def schemas() -> dict[str, Any]:
    """The JSON Schema of every event's data, by type: what the stored snapshot is compared with."""
    return {published.type: published.model.model_json_schema() for published in CATALOGUE}
