"""Connections to RabbitMQ: mTLS, sign-in by certificate, confirmed publishing.

Plain aio-pika; docs/adr/0004 says why nothing stands between it and our outbox and inbox.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import aio_pika
import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, HeadersType
from aio_pika.connection import make_url
from aiormq.exceptions import AMQPError as WireError

from grove.messaging.topology import EVENTS
from grove.security.mtls import TlsMaterial

log = structlog.get_logger()

CONTENT_TYPE = "application/cloudevents+json"
CONFIRM_SECONDS = 10
BROKER_ERRORS = (
    aio_pika.exceptions.AMQPError,
    WireError,
    ConnectionError,
    OSError,
    TimeoutError,
    RuntimeError,
)
"""What a lost or refusing broker looks like. RuntimeError is aio-pika's answer on a closing channel."""


@dataclass(frozen=True, slots=True)
class Broker:
    """How to reach RabbitMQ as this process."""

    url: str
    tls: TlsMaterial
    name: str

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AbstractConnection]:
        """A connection for the block. Raises one of BROKER_ERRORS."""
        context = self.tls.client_context()
        try:
            connection = aio_pika.Connection(
                make_url(f"{self.url}?auth=EXTERNAL&heartbeat=10"),
                ssl_context=context,
                client_properties={"connection_name": self.name},
            )
            try:
                await connection.connect(timeout=5)
                yield connection
            finally:
                await connection.close()  # one that was never made too: it would be told to when it is collected
        finally:
            self.tls.forget(context)


async def closed(connection: AbstractConnection, channel: AbstractChannel | None = None) -> None:
    """Return when the connection is gone, or only its channel: the broker may close one that it is not content with."""
    gone = asyncio.Event()
    connection.close_callbacks.add(lambda *_: gone.set())
    if channel is not None:
        channel.close_callbacks.add(lambda *_: gone.set())
    if connection.is_closed or (channel is not None and channel.is_closed):
        return
    await gone.wait()


class EventPublisher:
    """Publishes serialised events: persistent, confirmed; one without a reader raises when it should have one."""

    def __init__(self, exchange: AbstractExchange) -> None:
        self._exchange = exchange

    @classmethod
    async def on(cls, connection: AbstractConnection) -> "EventPublisher":
        """A publisher on a channel of its own."""
        channel: AbstractChannel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        return cls(await channel.get_exchange(EVENTS, ensure=False))

    async def publish(self, event_id: UUID, event_type: str, body: bytes, *, mandatory: bool) -> None:
        """Returns once the broker has it safely. Raises one of BROKER_ERRORS."""
        await self._exchange.publish(
            message(body, message_id=str(event_id)),
            routing_key=event_type,
            mandatory=mandatory,
            timeout=CONFIRM_SECONDS,
        )


def message(body: bytes, *, message_id: str, headers: HeadersType | None = None) -> Message:
    """A persistent message that carries an event."""
    return Message(
        body,
        content_type=CONTENT_TYPE,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=message_id,
        headers=headers,
    )
