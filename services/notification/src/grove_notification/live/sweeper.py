"""Looks after all connections of a process: one task for thousands of sign-ins and pings.

While the revocation feed is trusted, a sign-in is looked at when it is new or the feed has something new. Without the
feed auth is asked about all tokens, many with each question. A connection ends when nothing was heard of its sign-in
for UNKNOWN_SECONDS and that is not for want of asking: auth said nothing at all for as long, or not about this one.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from grove.core.clock import now
from grove.core.errors import GroveError
from grove.core.tasks import end
from grove.messaging.revocation import QUESTIONS_AT_ONCE
from grove.service.resources import SignIn
from grove_notification.live.connection import REVOKED, UNKNOWN, Connection
from grove_notification.live.hub import Hub

LOOK_SECONDS = 0.4
UNKNOWN_SECONDS = 3.0
"""How long a connection lives on while nobody can say whether its sign-in still counts."""
REFUSALS = 2
"""Questions in a row that auth did not answer, while it answered others."""


class Sweeper:
    """Looks every LOOK_SECONDS."""

    def __init__(self, hub: Hub, sign_in: SignIn) -> None:
        self._hub = hub
        self._sign_in = sign_in
        self._silent = 0
        """Looks since auth, or the feed, last said anything."""

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
                        asking = asyncio.create_task(self._check_all(self._hub, None))
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
        self._silent, new = 0, []
        for connection in self._hub:
            connection.heard()
            if connection.checked != changes:
                new.append(connection)
        await self._check_all(new, changes)

    def _count_unknown(self) -> None:
        """Looks are counted, not seconds: a process that was held up knows no less than before."""
        most = UNKNOWN_SECONDS / LOOK_SECONDS
        self._silent += 1
        for connection in self._hub:
            connection.unknown += 1
            if connection.unknown > most and (self._silent > most or connection.refused >= REFUSALS):
                connection.end(UNKNOWN)

    async def _check_all(self, connections: Iterable[Connection], changes: int | None) -> None:
        """`changes`: what the feed had when it was asked; None: auth is."""
        for tokens in _by_token(connections):
            if changes is not None and not self._sign_in.feed.live:
                return
            await self._check(tokens, changes)

    async def _check(self, tokens: Sequence[Sequence[Connection]], changes: int | None) -> None:
        """Connections with one token each time."""
        principals = [connections[0].principal for connections in tokens]
        try:
            answers = await self._sign_in.gate.admits_each(principals)
        except GroveError:
            for connections in tokens:
                for connection in connections:
                    connection.refused += 1
            return
        self._silent = 0
        for connections, principal, admitted in zip(tokens, principals, answers, strict=True):
            for connection in connections:
                if connection.principal.token_id != principal.token_id:
                    continue  # it has another one by now
                connection.heard()
                connection.checked = changes
                if not admitted:
                    connection.end(REVOKED)


def _by_token(connections: Iterable[Connection]) -> Iterator[Sequence[Sequence[Connection]]]:
    """Those with the same token together, as one answer holds for all; and of these as many as one question takes."""
    found: dict[str, list[Connection]] = {}
    for connection in connections:
        found.setdefault(connection.principal.token_id, []).append(connection)
    tokens = iter(found.values())
    while batch := tuple(islice(tokens, QUESTIONS_AT_ONCE)):
        yield batch
