"""What could not be handled: listed, looked at, replayed, purged."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from grove.messaging.broker import Broker, message
from grove.messaging.topology import dead_queue_name, internal_exchange


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One parked message."""

    id: str
    type: str
    reason: str
    attempts: int
    first_failed: str
    last_failed: str
    body: dict[str, Any]


class DeadLetters:
    """The dead-letter queue of one consumer. Looking at letters leaves them where they are."""

    def __init__(self, broker: Broker, service: str, queue: str) -> None:
        self._broker = broker
        self._service = service
        self._queue = queue

    async def all(self, limit: int = 100) -> list[DeadLetter]:
        """Up to `limit` letters, oldest first."""
        async with self._open() as (_, queue):
            return [_letter(incoming) async for incoming in _each(queue, limit)]  # returned as the channel closes

    async def replay(self, ids: set[str] | None = None) -> int:
        """Hand letters back to their consumer (all, or those of `ids`); how many. A replay is safe to repeat."""
        count = 0
        async with self._open() as (channel, queue):
            exchange = await channel.get_exchange(internal_exchange(self._service), ensure=False)
            async for incoming in _each(queue, 10_000):
                if ids is None or incoming.message_id in ids:
                    fresh = message(incoming.body, message_id=incoming.message_id or "")
                    await exchange.publish(fresh, routing_key=self._queue, mandatory=True, timeout=10)
                    await incoming.ack()
                    count += 1
        return count

    async def purge(self, ids: set[str] | None = None) -> int:
        """Throw letters away (all, or those of `ids`); how many."""
        count = 0
        async with self._open() as (_, queue):
            async for incoming in _each(queue, 10_000):
                if ids is None or incoming.message_id in ids:
                    await incoming.ack()
                    count += 1
        return count

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[tuple[AbstractChannel, AbstractQueue]]:
        async with self._broker.connection() as connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            yield channel, await channel.get_queue(dead_queue_name(self._queue), ensure=False)


async def _each(queue: AbstractQueue, limit: int) -> AsyncIterator[AbstractIncomingMessage]:
    for _ in range(limit):
        incoming = await queue.get(no_ack=False, fail=False)
        if incoming is None:
            return
        yield incoming


def _letter(incoming: AbstractIncomingMessage) -> DeadLetter:
    headers = incoming.headers or {}
    try:
        body: Any = json.loads(incoming.body)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    attempts = headers.get("x-grove-attempt", 1)
    return DeadLetter(
        id=incoming.message_id or "",
        type=str(body.get("type", "unreadable")),
        reason=str(headers.get("x-grove-reason", "its consumer died over it again and again")),
        attempts=attempts if isinstance(attempts, int) else 1,
        first_failed=str(headers.get("x-grove-first-failed", "")),
        last_failed=str(headers.get("x-grove-last-failed", "")),
        body=body,
    )
