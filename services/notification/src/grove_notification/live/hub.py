"""The open connections of one api process, and how they hear of what is new for their users."""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from grove.core.errors import RateLimited, ServiceUnavailable
from grove.core.tasks import side_by_side
from grove.postgres.engine import STORE_ERRORS
from grove.postgres.reads import Reads
from grove.valkey.client import VALKEY_ERRORS
from grove_notification.live.connection import STOPPING, Connection
from grove_notification.live.frames import Numbered
from grove_notification.live.metrics import OPEN, REFUSED
from grove_notification.live.push import CHANNEL
from grove_notification.live.repository import positions
from grove_notification.live.states import States

log = structlog.get_logger()

TURNS = 4
"""Connections that read frames at a time: what all miss at once must not take the database from requests."""
LOOK_SECONDS = 10.0
"""How often the store is asked how far the users' streams are: a push can be lost without a trace."""
ALONE_SECONDS = 1.0
"""How often while there are no pushes at all."""
PUSH_SECONDS = 2.0
"""How long a push may take after its frame was written before it counts as lost."""
PING_SECONDS = 1.0
SILENCE_SECONDS = 3.0
"""A Valkey that says nothing that long, not even to a ping, hangs."""
USERS_A_LOOK = 1000
"""Of whom one statement asks how far their streams are."""
RETRY_AFTER_SECONDS = 30
FULL_SECONDS = 5
"""When to try again at a full process; it may be another one then."""


class Hub:
    """Hands pushes to the connections of their user."""

    def __init__(self, valkey: Redis, reads: Reads, *, most: int, per_user: int) -> None:
        """This process has at most `most` connections, `per_user` of one user."""
        self._valkey = valkey
        self._reads = reads
        self._most = most
        self._per_user = per_user
        self._all: set[Connection] = set()
        self._of: dict[UUID, set[Connection]] = {}
        self._stopping = False
        self.states = States(reads)
        self.turns = asyncio.Semaphore(TURNS)
        self.subscribed = False

    @property
    def full(self) -> bool:
        """It has as many connections as it may."""
        return len(self._all) >= self._most

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._all))

    def join(self, connection: Connection) -> None:
        """Offer pushes to it. Raises RateLimited for one too many of its user, ServiceUnavailable for one too many of
        the process, and once that stops.
        """
        if self._stopping:
            raise ServiceUnavailable
        if self.full:
            REFUSED.labels("process").inc()
            raise ServiceUnavailable("This server has no room for more live connections.", retry_after=FULL_SECONDS)
        of_user = self._of.setdefault(connection.principal.user_id, set())
        if len(of_user) >= self._per_user:
            REFUSED.labels("user").inc()
            words = f"You have {self._per_user} live connections open. Close one of them, or wait until one ends."
            raise RateLimited(RETRY_AFTER_SECONDS, message=words)
        of_user.add(connection)
        self._all.add(connection)
        OPEN.labels(connection.transport).inc()

    def leave(self, connection: Connection) -> None:
        """Forget it."""
        user_id = connection.principal.user_id
        self._all.discard(connection)
        self._of[user_id].discard(connection)
        if not self._of[user_id]:
            del self._of[user_id]
        OPEN.labels(connection.transport).dec()

    def stop(self) -> None:
        """The process ends: so does every connection."""
        self._stopping = True
        for connection in self:
            connection.end(STOPPING)

    async def run(self) -> None:
        """Receive pushes until cancelled, and look into the store for those that were lost."""
        await side_by_side(self._follow(), self._look_around())

    async def behind(self) -> list[tuple[Connection, int]]:
        """The connections that don't have all that the store has of their user's stream, and how far that is."""
        users = list(self._of)
        behind: list[tuple[Connection, int]] = []
        for start in range(0, len(users), USERS_A_LOOK):
            for user_id, position in await positions(self._reads, users[start : start + USERS_A_LOOK]):
                of_user = self._of.get(user_id, ())
                behind += [(each, position) for each in of_user if each.subscriber.end < position]
        return behind

    async def _look_around(self) -> None:
        looked = time.monotonic()
        while True:
            await asyncio.sleep(ALONE_SECONDS)
            if not self.subscribed or time.monotonic() - looked >= LOOK_SECONDS:
                await self._look(wait=PUSH_SECONDS if self.subscribed else 0)
                looked = time.monotonic()

    async def _look(self, *, wait: float = 0) -> None:
        """`wait`: what was written a moment ago is being pushed."""
        try:
            behind = await self.behind()
        except STORE_ERRORS as error:
            log.warning("live.store_away", error=str(error) or type(error).__name__)
            return
        if behind and wait:
            await asyncio.sleep(wait)
        catch_up(behind)

    async def _follow(self) -> None:
        while True:
            try:
                async with self._valkey.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    await self._receive(pubsub)
            except VALKEY_ERRORS as error:
                log.warning("live.valkey_lost", error=str(error) or type(error).__name__)
            finally:
                self.subscribed = False
            await asyncio.sleep(0.5)

    async def _receive(self, pubsub: Any) -> None:
        heard = time.monotonic()
        while True:
            message = await pubsub.get_message(timeout=PING_SECONDS)
            if message is None:
                if time.monotonic() - heard > SILENCE_SECONDS:
                    raise TimeoutError("Valkey does not answer")
                await pubsub.ping()
                continue
            heard = time.monotonic()
            if message["type"] == "subscribe":  # at first, and whenever the client connected anew by itself
                await self._start_over()
            elif message["type"] == "message":
                self._hand_out(json.loads(message["data"]))
                await asyncio.sleep(0)  # what one was given is sent before the next comes, however many have come

    async def _start_over(self) -> None:
        """Pushes come from now on; those before may be lost."""
        self.subscribed = True
        await self._look()

    def _hand_out(self, push: dict[str, Any]) -> None:
        connections = self._of.get(UUID(push["user_id"]))
        if not connections:
            return
        frame = push["frame"]
        numbered = Numbered(frame["position"], frame["type"], json.dumps(frame["data"], ensure_ascii=False))
        for connection in connections:
            connection.subscriber.offer(numbered)


def catch_up(behind: Iterable[tuple[Connection, int]]) -> None:
    """Have them read what they still don't have by now."""
    for connection, position in behind:
        connection.subscriber.reached(position)
