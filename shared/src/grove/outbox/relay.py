"""The relay: takes committed events from the outbox and publishes them, at least once, in order per aggregate.

A type that the broker refuses (no queue takes it, or one is full) waits alone; the others go on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog
from aio_pika.exceptions import DeliveryError

from grove.core.tasks import side_by_side
from grove.messaging.broker import BROKER_ERRORS, Broker, EventPublisher
from grove.observability.metrics import EVENTS_PUBLISHED
from grove.outbox.event import Claim, OutboxEvent

log = structlog.get_logger()

BATCH = 100
SAFETY_POLL_SECONDS = 1.0
"""Wake-ups can be lost, so the outbox is also looked at this often."""
REFUSED_SECONDS = 5.0
"""How long a type rests that the broker refused."""


class OutboxStore(Protocol):
    """Where a relay takes events from."""

    def claim(self, limit: int, *, without: Collection[str] = ()) -> AbstractAsyncContextManager[Claim]:
        """Up to `limit` unsent events of other types than `without`, which no other relay works on meanwhile.

        Those in the claim's `published` are removed when the block ends well.
        """
        ...

    def wakeups(self) -> AsyncIterator[None]:
        """Yields when events may have been added; may miss some, may raise when the store is away."""
        ...


class Relay:
    """Runs in every worker."""

    def __init__(self, broker: Broker, store: OutboxStore, *, store_errors: tuple[type[Exception], ...]) -> None:
        self._broker = broker
        self._store = store
        self._store_errors = store_errors
        self._wake = asyncio.Event()
        self._resting: dict[str, float] = {}  # refused types, and the loop's time until which they rest
        self.connected = False

    async def run(self) -> None:
        """Relay until cancelled; a lost broker or store is looked for each second."""
        await side_by_side(self._listen(), self._again_and_again("broker", self._publish, BROKER_ERRORS))

    async def _publish(self) -> None:
        async with self._broker.connection() as connection:
            publisher = await EventPublisher.on(connection)
            self.connected = True
            while True:
                self._wake.clear()
                while await self._publish_batch(publisher) == BATCH:
                    continue
                try:
                    async with asyncio.timeout(SAFETY_POLL_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def _publish_batch(self, publisher: EventPublisher) -> int:
        moment = asyncio.get_running_loop().time()
        self._resting = {event_type: until for event_type, until in self._resting.items() if until > moment}
        try:
            async with self._store.claim(BATCH, without=self._resting) as claim:
                await asyncio.gather(*(self._publish_one(publisher, claim, event) for event in claim.events))
            return len(claim.events)
        except self._store_errors as error:
            log.warning("relay.store_unreachable", error=str(error) or type(error).__name__)
            await asyncio.sleep(1)
            return 0

    async def _publish_one(self, publisher: EventPublisher, claim: Claim, event: OutboxEvent) -> None:
        try:
            await publisher.publish(event.id, event.type, event.body, mandatory=event.mandatory)
        except DeliveryError as error:
            self._rest(event, error)
            return
        claim.published.add(event.id)
        EVENTS_PUBLISHED.labels(event.type).inc()

    def _rest(self, event: OutboxEvent, error: DeliveryError) -> None:
        if event.type in self._resting:
            return  # said already
        self._resting[event.type] = asyncio.get_running_loop().time() + REFUSED_SECONDS
        log.error(
            "relay.refused",
            event_type=event.type,
            event_id=str(event.id),
            error=str(error),
            hint="no consumer's queue takes this type, or one is full; its events wait in the outbox",
        )

    async def _listen(self) -> None:
        async def listen() -> None:
            async for _ in self._store.wakeups():
                self._wake.set()

        await self._again_and_again("store", listen, self._store_errors)

    async def _again_and_again(
        self, what: str, work: Callable[[], Awaitable[None]], errors: tuple[type[Exception], ...]
    ) -> None:
        while True:
            try:
                await work()
            except errors as error:
                self.connected = self.connected and what != "broker"
                log.warning("relay.unreachable", what=what, error=str(error) or type(error).__name__)
            await asyncio.sleep(1)
