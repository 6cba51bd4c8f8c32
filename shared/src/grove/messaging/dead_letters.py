"""What could not be handled: counted, looked at, replayed, purged.

A pass over a queue takes what is there when it begins, in order, and holds it; what it did not acknowledge is back in
its place when the pass ends, however it ends. Meanwhile nobody else sees what is held.
"""

import asyncio
import hashlib
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from grove.messaging.broker import Broker, message
from grove.messaging.topology import dead_queue_name, internal_exchange, queue_name

WINDOW = 100
"""Letters that are on their way here at once, in all but huge queues: so many are in memory."""
CONSUMERS = 30
"""Windows of a pass. A broker keeps up to 32 consumers of a channel in order, and puts back what they held in it."""
BATCH = 50
LOOK_SECONDS = 0.5
MAX_LINE = 1000

Act = Callable[[AbstractIncomingMessage], Awaitable[None]]
Told = Callable[[int, int], None]
"""`told(done, there)`: how far a pass is."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One parked message."""

    id: str
    """The event's id; of a message without one, made from its body."""
    type: str
    subject: str
    time: str
    sequence: int | None
    reason: str
    attempts: int
    first_failed: str
    last_failed: str
    event: str
    """The whole event as indented JSON, or the message as it is. It may name people; secrets in it are sealed."""


class DeadLetters:
    """The dead-letter queue of one consumer."""

    def __init__(self, broker: Broker, service: str, queue: str = "") -> None:
        """`queue`: where the consumer takes its events from, when that is not `<service>.events`."""
        self._broker = broker
        self._service = service
        self.queue = queue or queue_name(service)

    async def all(self, limit: int = 100) -> list[DeadLetter]:
        """Up to `limit` letters, oldest first."""
        async with self._open() as channel:
            return [_letter(incoming) async for incoming in self._each(channel, limit)]

    async def one(self, letter_id: str) -> DeadLetter | None:
        """The letter with this id, None when it is not there."""
        async with self._open() as channel:
            async for incoming in self._each(channel):
                if id_of(incoming) == letter_id:
                    return _letter(incoming)
        return None

    async def replay(
        self, ids: Collection[str] | None = None, *, limit: int | None = None, told: Told = lambda *_: None
    ) -> int:
        """Hand letters back to their consumer: all, or those of `ids`, up to `limit`; how many.

        Each is acknowledged here once it is safe there: killed in between, it is there and here, and may be handed
        back twice, which a consumer's inbox makes harmless. One that fails again at once is parked anew, behind those
        that this pass takes.
        """
        async with self._open() as channel:
            exchange = await channel.get_exchange(internal_exchange(self._service), ensure=False)

            async def hand_back(incoming: AbstractIncomingMessage) -> None:
                fresh = message(incoming.body, message_id=incoming.message_id or "")
                await exchange.publish(fresh, routing_key=self.queue, mandatory=True, timeout=10)

            return await self._pass(channel, hand_back, ids, limit, told)

    async def purge(self, ids: Collection[str] | None = None, *, told: Told = lambda *_: None) -> int:
        """Throw letters away: all that are there now, or those of `ids`; how many."""

        async def throw_away(_: AbstractIncomingMessage) -> None:
            """It is acknowledged, and gone."""

        async with self._open() as channel:
            return await self._pass(channel, throw_away, ids, None, told)

    async def _pass(
        self, channel: AbstractChannel, act: Act, ids: Collection[str] | None, limit: int | None, told: Told
    ) -> int:
        done, there = 0, await messages_in(channel, dead_queue_name(self.queue))
        batch: list[AbstractIncomingMessage] = []

        async def settle() -> None:
            nonlocal done
            await asyncio.gather(*map(act, batch))
            await _acknowledge(batch, all_before=ids is None)
            for _ in batch:
                done += 1
                told(done, there)
            batch.clear()

        async for incoming in self._wanted(channel, ids, limit, lambda: done):
            batch.append(incoming)
            if len(batch) >= BATCH:
                await settle()
        await settle()
        return done

    async def _wanted(
        self,
        channel: AbstractChannel,
        ids: Collection[str] | None,
        limit: int | None,
        acknowledged: Callable[[], int],
    ) -> AsyncIterator[AbstractIncomingMessage]:
        """All, or those of `ids` until each was found once."""
        if ids is None:
            async for incoming in self._each(channel, limit, acknowledged=acknowledged):
                yield incoming
            return
        wanted, missing = set(ids), set(ids)
        if not wanted:
            return
        async for incoming in self._each(channel, acknowledged=acknowledged):
            name = id_of(incoming)
            if name in wanted:
                missing.discard(name)
                yield incoming
            if not missing:
                return

    async def _each(
        self, channel: AbstractChannel, limit: int | None = None, *, acknowledged: Callable[[], int] = lambda: 0
    ) -> AsyncIterator[AbstractIncomingMessage]:
        """What is there now, in order. What comes meanwhile, or comes back, is behind it and left alone.

        A consumer holds one window. Another one is needed only for what is held beyond that.
        """
        name = dead_queue_name(self.queue)
        there = await messages_in(channel, name)
        wanted = there if limit is None else min(there, limit)
        window = min(max(WINDOW, math.ceil(wanted / CONSUMERS)), max(1, wanted))
        await channel.set_qos(prefetch_count=window)
        queue = await channel.get_queue(name, ensure=False)
        arriving: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        consumers = 0
        for taken in range(wanted):
            if taken - acknowledged() >= consumers * window:
                await queue.consume(arriving.put, consumer_tag=f"pass.{consumers:02d}")
                consumers += 1
            incoming = await self._next(channel, arriving)
            if incoming is None:
                return
            yield incoming

    async def _next(
        self, channel: AbstractChannel, arriving: asyncio.Queue[AbstractIncomingMessage]
    ) -> AbstractIncomingMessage | None:
        """The next one; None when others took the rest. Raises one of BROKER_ERRORS when the broker is lost."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    return await arriving.get()
            except TimeoutError:
                if await messages_in(channel, dead_queue_name(self.queue)) == 0 and arriving.empty():
                    return None

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AbstractChannel]:
        async with self._broker.connection() as connection:
            yield await connection.channel(publisher_confirms=True, on_return_raises=True)


async def _acknowledge(batch: Sequence[AbstractIncomingMessage], *, all_before: bool) -> None:
    """`all_before`: nothing before the last of them is left out. Then one word does for all, for the broker sends on a
    few at a time, and hands out again what it had not sent on when the connection ended.
    """
    for incoming in batch[-1:] if all_before else batch:
        await incoming.ack(multiple=all_before)


async def messages_in(channel: AbstractChannel, queue: str) -> int:
    """How many messages wait in a queue, without those that somebody has in hand. Needs no right on it."""
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.message_count or 0


async def consumers_of(channel: AbstractChannel, queue: str) -> int:
    """How many workers take messages from a queue now. Needs no right on it."""
    declared = await channel.declare_queue(queue, passive=True)
    return declared.declaration_result.consumer_count or 0


def id_of(incoming: AbstractIncomingMessage) -> str:
    """What a letter is called by."""
    return _line(incoming.message_id or "") or f"body-{hashlib.sha256(incoming.body).hexdigest()[:24]}"


def _letter(incoming: AbstractIncomingMessage) -> DeadLetter:
    headers = incoming.headers or {}
    told, event = _read(incoming.body)
    attempts, sequence = headers.get("x-grove-attempt", 1), told.get("sequence")
    return DeadLetter(
        id=id_of(incoming),
        type=_line(told.get("type", "unreadable")),
        subject=_line(told.get("subject", "")),
        time=_line(told.get("time", "")),
        sequence=sequence if isinstance(sequence, int) else None,
        reason=_line(headers.get("x-grove-reason", "its consumer died over it again and again")),
        attempts=attempts if isinstance(attempts, int) else 1,
        first_failed=_line(headers.get("x-grove-first-failed", "")),
        last_failed=_line(headers.get("x-grove-last-failed", "")),
        event=event,
    )


def _read(body: bytes) -> tuple[dict[str, Any], str]:
    """What a message says, and as text. Anything may have been sent: what can't be read is shown as it is."""
    try:
        event: Any = json.loads(body)
        text = json.dumps(event, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        event, text = None, body.decode(errors="replace")
    text = "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
    return (event if isinstance(event, dict) else {}), text


def _line(value: object) -> str:
    """On one line, without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value))[:MAX_LINE]
