"""What the broker hands to a consumer: many events at once, and one alone that may have killed who had it."""

import asyncio
from contextlib import suppress
from uuid import uuid4

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from grove.messaging.broker import BROKER_ERRORS
from grove.observability.metrics import EVENTS_IN_HAND

log = structlog.get_logger()

SUSPECTED_AFTER = 3
"""Deaths over an event from which on it is taken alone. One or two are rarely its fault, and what a worker that was
killed leaves to the others is done sooner together.
"""


class Intake:
    """Events of one queue that wait for their consumer.

    The broker counts deliveries that end without an answer, and parks an event after `CRASH_LIMIT` of them: all that a
    worker had in hand when it died, though one event killed it. So what several died with is taken alone, with nothing
    else in hand: then a death counts for the event that caused it, and its neighbours are done long before the limit.
    That begins with each channel, and again whenever a suspected one comes; the first that is not ends it.
    """

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue, prefetch: int) -> None:
        self._channel = channel
        self._queue = queue
        self._prefetch = prefetch
        self._waiting: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._aside: list[AbstractIncomingMessage] = []
        self._alone = True
        self._turn = asyncio.Event()
        self._changing = asyncio.Lock()
        self._ended = False
        self._tag = ""
        self._in_hand = EVENTS_IN_HAND.labels(queue.name)

    async def begin(self) -> None:
        """Have events handed over, one at a time at first."""
        await self._consume(1)

    async def run(self) -> None:
        """Change between one at a time and many until the end. Raises one of BROKER_ERRORS."""
        while True:
            await self._turn.wait()
            async with self._changing:
                if self._ended:
                    return
                await self._queue.cancel(self._tag)
                self._turn.clear()  # what came before is in hand now, and here or aside
                if self._aside:
                    await self._give_back()
                    await self._waiting.join()
                await self._consume(1 if self._alone else self._prefetch)

    async def end(self) -> None:
        """Have no more handed over, and return when all that waits was taken and is done."""
        self._ended = True
        async with self._changing:
            with suppress(*BROKER_ERRORS):
                await self._queue.cancel(self._tag)
        await self._waiting.join()

    async def take(self, most: int) -> list[AbstractIncomingMessage]:
        """What waits, up to `most`, in the order it came; waits for the first."""
        taken = [await self._waiting.get()]
        while len(taken) < most and not self._waiting.empty():
            taken.append(self._waiting.get_nowait())
        return taken

    def done(self, count: int) -> None:
        """So many of what was taken were answered, or never will be."""
        self._in_hand.dec(count)
        for _ in range(count):
            self._waiting.task_done()

    def drop(self) -> None:
        """Forget what waits: the broker is lost, and delivers it again on the next connection."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
            self.done(1)
        self._in_hand.dec(len(self._aside))
        self._aside.clear()

    async def _consume(self, prefetch: int) -> None:
        self._tag = uuid4().hex
        await self._channel.set_qos(prefetch_count=prefetch)  # of the next consumer, not of those before
        await self._queue.consume(self._arrive, consumer_tag=self._tag)

    async def _arrive(self, incoming: AbstractIncomingMessage) -> None:
        self._in_hand.inc()
        suspected = _deaths(incoming) >= SUSPECTED_AFTER
        if suspected and not self._alone:
            self._aside.append(incoming)
            self._turn.set()
            return
        if self._alone and not suspected:
            self._alone = False
            self._turn.set()
        await self._waiting.put(incoming)

    async def _give_back(self) -> None:
        """To be handed out again, one at a time. Once for each change, so it can't go round and round."""
        self._alone = True
        log.info("consumer.careful", queue=self._queue.name, events=len(self._aside))
        while self._aside:
            await self._aside[-1].nack(requeue=True)
            self._aside.pop()
            self._in_hand.dec()


def _deaths(incoming: AbstractIncomingMessage) -> int:
    """How often this queue delivered it without an answer."""
    count = (incoming.headers or {}).get("x-delivery-count", 0)
    return count if isinstance(count, int) else 0
