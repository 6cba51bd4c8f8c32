"""What every worker does with events: it publishes its service's own, applies others', and watches its queues."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from grove.core.settings import ServiceSettings
from grove.messaging.broker import Broker
from grove.messaging.consumer import Consumer, Inbox
from grove.messaging.handlers import Handlers
from grove.messaging.topology import queue_name
from grove.messaging.watch import QueueWatch
from grove.observability.health import Check, while_true
from grove.outbox.age import Aged, OutboxAge
from grove.outbox.relay import OutboxStore, Relay


class Outbox(OutboxStore, Aged, Protocol):
    """Events that are not published yet."""


class Holds(Protocol):
    """A service's resources, as far as they are needed here."""

    @property
    def broker(self) -> Broker:
        """RabbitMQ."""
        ...

    @property
    def outbox(self) -> Outbox:
        """In the service's store."""
        ...

    @property
    def inbox(self) -> Inbox:
        """In the service's store."""
        ...


class EventWork:
    """Jobs for the worker to run, and checks for its health."""

    def __init__(
        self,
        settings: ServiceSettings,
        resources: Holds,
        handlers: Handlers,
        *queues: str,
        store_errors: tuple[type[Exception], ...],
    ) -> None:
        """`queues`: those that the service has beside `<service>.events`; they are watched."""
        service, broker = settings.service, resources.broker
        self._relay = Relay(broker, resources.outbox, store_errors=store_errors)
        self._consumer = Consumer(
            service, queue_name(service), broker, resources.inbox, handlers, prefetch=settings.consumer_prefetch
        )
        self._watch = QueueWatch(broker, service, *queues)
        self._outbox = OutboxAge(resources.outbox)

    @property
    def jobs(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """By name."""
        return {"relay": self._relay.run, "consumer": self._consumer.run, "queues": self._watch.run}

    @property
    def checks(self) -> dict[str, Check]:
        """What degrades the worker, by name."""
        return {
            "outbox": self._outbox.check,
            "relay": while_true(lambda: self._relay.connected, "not connected to RabbitMQ"),
            "consumer": while_true(lambda: self._consumer.connected, "not connected to RabbitMQ"),
            **self._watch.checks,
        }
