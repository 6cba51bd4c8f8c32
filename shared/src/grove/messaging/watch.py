"""What waits in a service's queues: looked at every few seconds, told in metrics and in readiness."""

import asyncio
from collections import deque
from math import nan

import structlog

from grove.messaging.broker import BROKER_ERRORS, Broker
from grove.messaging.dead_letters import messages_in
from grove.messaging.topology import RETRY_DELAYS, dead_queue_name, queue_name, retry_queue_name
from grove.observability.health import Check
from grove.observability.metrics import EVENTS_DEAD, EVENTS_DELAYED, EVENTS_WAITING

log = structlog.get_logger()

LOOK_SECONDS = 5.0
LOOKS = 13
"""A minute of them: so long a queue must have been long, and not have become shorter, to count as growing."""
LONG = 100
"""Fewer events than this are no backlog: a worker has as many in hand."""


class QueueWatch:
    """Runs in every worker. Asking how long a queue is needs no right on it, and takes nothing from it."""

    def __init__(self, broker: Broker, service: str, *queues: str) -> None:
        """`queues`: those that the service has beside `<service>.events`."""
        self._broker = broker
        self._service = service
        self._queues = (queue_name(service), *queues)
        self._waiting: dict[str, deque[int]] = {}
        self._dead: dict[str, int] = {}
        self.connected = False

    @property
    def checks(self) -> dict[str, Check]:
        """Health checks by name."""
        return {"queue": self._check_waiting, "dead_letters": self._check_dead}

    async def run(self) -> None:
        """Look until cancelled; what can't be known any more is not told any more."""
        while True:
            try:
                async with self._broker.connection() as connection:
                    channel = await connection.channel()
                    while True:
                        for queue in self._queues:
                            self._waiting.setdefault(queue, deque(maxlen=LOOKS))
                            self._waiting[queue].append(await messages_in(channel, queue))
                            self._dead[queue] = await messages_in(channel, dead_queue_name(queue))
                            rungs = [retry_queue_name(queue, delay) for delay in RETRY_DELAYS]
                            delayed = sum([await messages_in(channel, rung) for rung in rungs])
                            self._tell(queue, self._waiting[queue][-1], delayed, self._dead[queue])
                        self.connected = True
                        await asyncio.sleep(LOOK_SECONDS)
            except BROKER_ERRORS as error:
                log.warning("queues.not_seen", error=str(error) or type(error).__name__)
            finally:
                self._forget()
            await asyncio.sleep(LOOK_SECONDS)

    def _tell(self, queue: str, waiting: float, delayed: float, dead: float) -> None:
        EVENTS_WAITING.labels(queue).set(waiting)
        EVENTS_DELAYED.labels(queue).set(delayed)
        EVENTS_DEAD.labels(queue).set(dead)

    def _forget(self) -> None:
        self.connected = False
        self._waiting.clear()
        self._dead.clear()
        for queue in self._queues:
            self._tell(queue, nan, nan, nan)

    async def _check_waiting(self) -> str | None:
        return " ".join(filter(None, (self._backlog(queue, looks) for queue, looks in self._waiting.items()))) or None

    def _backlog(self, queue: str, looks: deque[int]) -> str:
        if len(looks) < LOOKS or min(looks) < LONG or looks[-1] < looks[0]:
            return ""
        return (
            f"{looks[-1]} events wait in {queue}, and they have not become fewer for a minute: see the log of "
            f"{self._service}'s workers for failures, or start more workers."
        )

    async def _check_dead(self) -> str | None:
        return " ".join(self._parked(queue, count) for queue, count in self._dead.items() if count) or None

    def _parked(self, queue: str, count: int) -> str:
        words = f"grove events dead list {self._service}"
        if queue != queue_name(self._service):
            words += f" --queue {queue}"
        return (
            f"{count} of {queue} could not be handled and {'waits' if count == 1 else 'wait'} to be looked at: "
            f"`{words}` says why, then replay or purge."
        )
