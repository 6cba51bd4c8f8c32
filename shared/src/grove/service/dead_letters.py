"""Routes of every service for the portal's operators: how its events fare, and what could not be handled.

They answer the gateway alone, which knows who asks and what that person may do; a service reads its own queues only.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from grove.core.errors import GroveError, NotFound
from grove.messaging.broker import BROKER_ERRORS, Broker
from grove.messaging.dead_letters import DeadLetters, consumers_of, messages_in
from grove.messaging.topology import dead_queue_name, queue_name
from grove.outbox.age import Aged
from grove.web.auth import callers
from grove.web.body import GroveRoute

log = structlog.get_logger()

BROKER_SECONDS = 1.5
"""How long a look at RabbitMQ may take: shorter than a caller inside the suite waits."""
REPLAY_AT_ONCE = 200
"""More are handed back by asking again, or by the `grove` command."""


class BrokerAway(GroveError):
    """424: this service is well, RabbitMQ is not. With a 5xx, callers would take the service to be broken."""

    status = 424
    code = "BROKER_AWAY"
    message = "RabbitMQ can't be reached. Dead letters stay where they are."


class QueueRead(BaseModel):
    """One of the service's queues."""

    queue: str
    waiting: int
    dead: int
    consumers: int
    """Workers that take from it now."""


class EventsRead(BaseModel):
    """How the service's events fare."""

    outbox_oldest_seconds: float | None = None
    queues: list[QueueRead] = []
    problem: str = ""
    """Why something of it is not known."""


class LetterRead(BaseModel):
    """A dead letter, without what the event says."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    type: str
    subject: str
    time: str
    sequence: int | None
    reason: str
    attempts: int
    first_failed: str
    last_failed: str


class LetterWhole(LetterRead):
    """A dead letter with its event, as text."""

    event: str


class Letters(BaseModel):
    """The oldest letters of a queue."""

    items: list[LetterRead]


class Replay(BaseModel):
    """What to hand back, and who said so."""

    ids: list[str] | None = Field(None, min_length=1, max_length=REPLAY_AT_ONCE)
    actor_id: UUID


class Replayed(BaseModel):
    """How many were handed back, and are still parked."""

    replayed: int
    left: int


def event_routes(service: str, broker: Broker, outbox: Aged, *queues: str) -> APIRouter:
    """The routes of a service. `queues`: those it has beside `<service>.events`."""
    router = APIRouter(
        prefix="/internal/v1", include_in_schema=False, route_class=GroveRoute, dependencies=[callers("gateway")]
    )
    known = (queue_name(service), *queues)

    async def letters_of(queue: str = known[0]) -> DeadLetters:
        if queue not in known:
            raise NotFound(f"{service} has no queue of this name.")
        return DeadLetters(broker, service, queue)

    Chosen = Annotated[DeadLetters, Depends(letters_of)]  # noqa: N806 - a type

    @router.get("/events")
    async def events() -> EventsRead:
        """How old the outbox is, and what waits in the queues."""
        found = EventsRead()
        try:
            found.outbox_oldest_seconds = await outbox.oldest_age()
        except Exception as error:  # noqa: BLE001 - whatever the store raises
            found.problem = f"The outbox can't be read: {type(error).__name__}."
        try:
            async with _reached():
                found.queues = await _lengths(broker, known)
        except BrokerAway as away:
            found.problem = away.message
        return found

    @router.get("/dead-letters")
    async def listed(letters: Chosen, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Letters:
        """The oldest letters of a queue."""
        async with _reached():
            return Letters(items=[LetterRead.model_validate(letter) for letter in await letters.all(limit)])

    @router.get("/dead-letters/one")
    async def one(letters: Chosen, letter: Annotated[str, Query(alias="id", max_length=1000)]) -> LetterWhole:
        """One letter whole."""
        async with _reached():
            found = await letters.one(letter)
        if found is None:
            raise NotFound("This letter is not there any more: it was handed back or thrown away.")
        return LetterWhole.model_validate(found)

    @router.post("/dead-letters/replay")
    async def replay(asked: Replay, letters: Chosen) -> Replayed:
        """Hand back the letters of `ids`, or the oldest."""
        async with _reached(seconds=None):
            count = await letters.replay(asked.ids, limit=REPLAY_AT_ONCE)
            [queue] = await _lengths(broker, (letters.queue,))
        log.info("dead_letters.replayed", queue=letters.queue, count=count, user_id=str(asked.actor_id))
        return Replayed(replayed=count, left=queue.dead)

    return router


async def _lengths(broker: Broker, queues: tuple[str, ...]) -> list[QueueRead]:
    async with broker.connection() as connection:
        channel = await connection.channel()
        return [
            QueueRead(
                queue=queue,
                waiting=await messages_in(channel, queue),
                dead=await messages_in(channel, dead_queue_name(queue)),
                consumers=await consumers_of(channel, queue),
            )
            for queue in queues
        ]


@asynccontextmanager
async def _reached(*, seconds: float | None = BROKER_SECONDS) -> AsyncIterator[Any]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except BROKER_ERRORS as error:
        reason = "it does not answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        log.warning("dead_letters.broker_away", error=reason)
        raise BrokerAway(f"RabbitMQ can't be reached ({reason[:200]}). Dead letters stay where they are.") from None
