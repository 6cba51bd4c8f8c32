"""Looks after all connections of a process: one task for thousands of sign-ins and pings.

While the revocation feed is trusted, a sign-in is looked at when it is new or the feed has something new. Without the
feed auth is asked about each token, some at a time; what nobody can say for UNKNOWN_SECONDS ends.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from grove.core.clock import now
from grove.core.errors import GroveError
from grove.core.tasks import end
from grove.service.resources import SignIn
from grove_notification.live.connection import REVOKED, UNKNOWN, Connection
from grove_notification.live.hub import Hub

LOOK_SECONDS = 0.4
UNKNOWN_SECONDS = 3.0
"""How long a connection lives on while nobody can say whether its sign-in still counts."""
ASKED_AT_ONCE = 32


class Sweeper:
    """Looks every LOOK_SECONDS."""

    def __init__(self, hub: Hub, sign_in: SignIn) -> None:
        self._hub = hub
        self._sign_in = sign_in

    async def run(self) -> None:
        """Sweep until cancelled."""
        asking: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if self._sign_in.feed.live:
                    await self._by_feed()
                else:
                    if asking is None or asking.done():
                        asking = asyncio.create_task(self._by_asking())
                    self._count_unknown()
                moment, wall = asyncio.get_running_loop().time(), now()
                for connection in self._hub:
                    connection.look(moment, wall)
        finally:
            if asking is not None:
                await end(asking)

    async def _by_feed(self) -> None:
        """The gate answers from memory."""
        changes = self._sign_in.feed.changes
        for connection in self._hub:
            if not self._sign_in.feed.live:
                return
            connection.unknown = 0
            if connection.checked != changes:
                await self._check([connection], changes)

    def _count_unknown(self) -> None:
        """Looks are counted, not seconds: a process that was held up knows no less than before."""
        for connection in self._hub:
            connection.unknown += 1
            if connection.unknown * LOOK_SECONDS > UNKNOWN_SECONDS:
                connection.end(UNKNOWN)

    async def _by_asking(self) -> None:
        turns = asyncio.Semaphore(ASKED_AT_ONCE)

        async def check(connections: Sequence[Connection]) -> None:
            async with turns:
                await self._check(connections, None)

        await asyncio.gather(*(check(connections) for connections in _by_token(self._hub)))

    async def _check(self, connections: Sequence[Connection], changes: int | None) -> None:
        """Connections with one token. `changes`: what the feed had when it was asked."""
        principal = connections[0].principal
        try:
            admitted = await self._sign_in.authenticator.gate.admits(principal)
        except GroveError:
            return
        for connection in connections:
            if connection.principal.token_id != principal.token_id:
                continue  # it has another one by now
            connection.checked, connection.unknown = changes, 0
            if not admitted:
                connection.end(REVOKED)


def _by_token(connections: Iterable[Connection]) -> Collection[Sequence[Connection]]:
    """Those with the same token together: one answer holds for all."""
    found: dict[str, list[Connection]] = {}
    for connection in connections:
        found.setdefault(connection.principal.token_id, []).append(connection)
    return found.values()
