"""What RabbitMQ holds: exchanges, queues, bindings, users and their permissions, made from the catalogue.

It is declared as a whole, as a definitions document, before any process starts; services only use it.
"""

from typing import Any

from grove.contracts.catalogue import SERVICES, consumed_by

EVENTS = "grove.events"
REVOCATIONS = "grove.revocations"
VHOST = "grove"
OPERATOR = "operator"
"""Broker user of the `grove` command."""

RETRY_DELAYS = (1, 5, 30, 120, 600)
"""Seconds before the 2nd, 3rd, … try of an event."""

_QUORUM = {
    "x-queue-type": "quorum",
    "x-overflow": "reject-publish",
    "x-dead-letter-strategy": "at-least-once",
}
CRASH_LIMIT = 20
"""Deliveries that may end without an answer (a crash) before the broker itself parks an event. It counts them for all
that a worker had in hand; intake.py sees to it that this is one event, once several died."""


def queue_name(service: str) -> str:
    """The queue from which the workers of `service` consume."""
    return f"{service}.events"


def dead_queue_name(queue: str) -> str:
    """Where what can't be handled is parked."""
    return f"{queue}.dead"


def internal_exchange(service: str) -> str:
    """The exchange by which `service` delays, redelivers and parks its own messages."""
    return f"{service}.internal"


def consumer(service: str, patterns: list[str], *, queue: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Queue, delay ladder, dead-letter queue and bindings of one consumer."""
    queue = queue or queue_name(service)
    internal = internal_exchange(service)
    found: dict[str, list[dict[str, Any]]] = {
        "exchanges": [_exchange(internal, "direct")],
        "queues": [
            _queue(
                queue,
                {
                    "x-delivery-limit": CRASH_LIMIT,
                    "x-dead-letter-exchange": internal,
                    "x-dead-letter-routing-key": dead_queue_name(queue),
                },
            ),
            # Looking at a dead letter returns it to its queue, which counts as a delivery.
            _queue(dead_queue_name(queue), {"x-delivery-limit": 1_000_000}),
        ],
        "bindings": [_binding(EVENTS, queue, pattern) for pattern in patterns],
    }
    found["bindings"] += [
        _binding(internal, queue, queue),
        _binding(internal, dead_queue_name(queue), dead_queue_name(queue)),
    ]
    for delay in RETRY_DELAYS:
        name = retry_queue_name(queue, delay)
        found["queues"].append(
            _queue(
                name,
                {
                    "x-message-ttl": delay * 1000,
                    "x-dead-letter-exchange": internal,
                    "x-dead-letter-routing-key": queue,
                },
            )
        )
        found["bindings"].append(_binding(internal, name, name))
    return found


def retry_queue_name(queue: str, delay: int) -> str:
    """The queue in which an event waits `delay` seconds for its next try."""
    return f"{queue}.retry.{delay}s"


def user(service: str) -> dict[str, list[dict[str, Any]]]:
    """Broker user of `service` (signs in by certificate) and what it may do: its own, nothing else."""
    own = service.replace(".", r"\.")
    events_prefix = service.replace("-", "_")
    publishes = rf"^{events_prefix}\..*"
    writable = rf"^(grove\.events|{own}\..*{'|grove.revocations' if service == 'auth' else ''})$"
    return {
        "users": [
            {
                "name": service,
                "password_hash": "",
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
        ],
        "permissions": [
            {
                "user": service,
                "vhost": VHOST,
                "configure": rf"^{own}\.revocations\..*$",
                "write": writable,
                "read": rf"^({own}\..*|grove\.revocations)$",
            }
        ],
        "topic_permissions": [{"user": service, "vhost": VHOST, "exchange": EVENTS, "write": publishes, "read": ".*"}],
    }


def jobs(service: str) -> dict[str, list[dict[str, Any]]]:
    """The work queue of `service`."""
    return consumer(service, [], queue=f"{service}.jobs")


def definitions() -> dict[str, list[dict[str, Any]]]:
    """The whole catalogue's topology as a RabbitMQ definitions document. Importing it again changes nothing."""
    parts: list[dict[str, list[dict[str, Any]]]] = [
        {
            "exchanges": [_exchange(EVENTS, "topic"), _exchange(REVOCATIONS, "fanout")],
        },
        jobs("provider-sync"),
    ]
    for service in SERVICES:
        parts.append(user(service))
        consumed = consumed_by(service)
        if consumed:
            parts.append(consumer(service, [published.type for published in consumed]))
    parts.append(user("gateway"))
    return merge(parts)


def merge(parts: list[dict[str, list[dict[str, Any]]]]) -> dict[str, list[dict[str, Any]]]:
    """Several definitions documents as one, without repeats."""
    merged: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        for kind, rows in part.items():
            into = merged.setdefault(kind, [])
            into.extend(row for row in rows if row not in into)
    return merged


def _exchange(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": VHOST,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _queue(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": VHOST,
        "durable": True,
        "auto_delete": False,
        "arguments": {**_QUORUM, **arguments},
    }


def _binding(exchange: str, queue: str, key: str) -> dict[str, Any]:
    return {
        "source": exchange,
        "vhost": VHOST,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
    }
