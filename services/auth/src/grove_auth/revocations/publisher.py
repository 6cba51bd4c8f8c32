"""Publishes the feed. Every auth process does: consumers ignore numbers they know, so repeats do no harm."""

import asyncio
import time

import structlog
from aio_pika.abc import AbstractExchange
from pymongo.errors import PyMongoError

from grove.contracts.auth import Revocation
from grove.contracts.event import Envelope
from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.broker import BROKER_ERRORS, Broker, message
from grove.messaging.revocation import HEARTBEAT_SECONDS
from grove.messaging.topology import REVOCATIONS
from grove_auth.revocations.service import RevocationService

log = structlog.get_logger()

LOOK_SECONDS = 0.25


class RevocationPublisher:
    """Sends new entries as they are committed, here or in another process, and a heartbeat each second."""

    def __init__(self, broker: Broker, revocations: RevocationService) -> None:
        self._broker = broker
        self._revocations = revocations
        self.connected = False

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                async with self._broker.connection() as connection:
                    channel = await connection.channel(publisher_confirms=True)
                    await self._publish(await channel.get_exchange(REVOCATIONS, ensure=False))
            except (*BROKER_ERRORS, PyMongoError) as error:
                log.warning("revocation_publisher.waiting", error=str(error) or type(error).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(0.5)

    async def check(self) -> str | None:
        """A health check."""
        return None if self.connected else "not connected to RabbitMQ; services ask about each token"

    async def _publish(self, exchange: AbstractExchange) -> None:
        sent = await self._revocations.number()
        beat = 0.0
        self.connected = True
        while True:
            self._revocations.added.clear()
            for entry in await self._revocations.after(sent):
                await _send(exchange, entry)
                sent = max(sent, entry.number)
            if time.monotonic() - beat >= HEARTBEAT_SECONDS:
                await _send(exchange, Revocation(number=sent, kind="heartbeat"))
                beat = time.monotonic()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._revocations.added.wait()
            except TimeoutError:
                continue


async def _send(exchange: AbstractExchange, entry: Revocation) -> None:
    envelope = Envelope(
        id=new_id(),
        source="/grove/auth",
        type=entry.type,
        subject=entry.subject(),
        time=now(),
        data=entry.model_dump(mode="json"),
        sequence=entry.number,
    )
    await exchange.publish(
        message(envelope.model_dump_json().encode(), message_id=str(envelope.id)),
        routing_key=entry.type,
        mandatory=False,
        timeout=2,
    )
