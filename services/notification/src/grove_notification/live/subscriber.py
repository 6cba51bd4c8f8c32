"""What one client is sent next, whatever carries it: pushes while they come without gaps, else the store.

The store has each frame before it is pushed, and all before it: a gap in the numbers needs one look, no waiting.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import structlog

from grove.postgres.engine import STORE_ERRORS
from grove_notification.live.frames import FrameId, Message, Numbered
from grove_notification.live.metrics import CATCH_UPS
from grove_notification.live.repository import LiveQueries, State
from grove_notification.live.stream import COUNT

log = structlog.get_logger()

T = TypeVar("T")

COUNT_SECONDS = 1.0
"""How often a connection is told how many are unread, at most: counting takes as long as there are many."""
COUNTED = {"notification", "reset", COUNT}
"""Frames with which it may be another number."""
RETRY_SECONDS = 1.0
"""After the store was away; somewhat more or less, so that thousands do not ask again at once."""


class Subscriber:
    """A cursor in a user's stream, and a bounded queue of what comes after it."""

    __slots__ = (
        "_behind",
        "_count_at",
        "_counted",
        "_counted_position",
        "_last",
        "_limit",
        "_newest",
        "_ping",
        "_queries",
        "_recount",
        "_state",
        "_turns",
        "_waiting",
        "_woken",
        "stream",
    )

    def __init__(
        self,
        queries: LiveQueries,
        state: Callable[[], Awaitable[State]],
        stream: str,
        *,
        limit: int,
        turns: asyncio.Semaphore,
    ) -> None:
        """At most `limit` frames wait for the client. `turns`: how many may read frames at a time."""
        self._queries = queries
        self._state = state
        self.stream = stream
        self._limit = limit
        self._turns = turns
        self._last = 0
        self._newest = 0
        self._behind = True  # until it begins: pushes are noted only
        self._recount = False
        self._counted: int | None = None  # to be handed out, once everything up to there was
        self._counted_position = 0
        self._count_at = 0.0  # not before: what changes all the time is counted now and then
        self._ping = False
        self._waiting: deque[Numbered] = deque()
        self._woken = asyncio.Event()

    @property
    def last(self) -> int:
        """Up to where everything was handed out."""
        return self._last

    @property
    def end(self) -> int:
        """Up to where everything was handed out or waits."""
        return self._waiting[-1].position if self._waiting else self._last

    @property
    def full(self) -> bool:
        """As much waits as may."""
        return len(self._waiting) >= self._limit

    def offer(self, frame: Numbered) -> None:
        """A pushed frame, in whatever order pushes come."""
        self._newest = max(self._newest, frame.position)
        if self._behind:
            return
        if frame.position <= self.end:
            return
        if frame.position == self.end + 1 and not self.full:
            self._waiting.append(frame)
        else:
            self._behind = True
        self._woken.set()

    def reached(self, position: int) -> None:
        """The user's stream is that far."""
        self._newest = max(self._newest, position)
        if position > self.end and not self._behind:
            self._behind = True
            self._woken.set()

    def ping(self) -> None:
        """Say that the line is alive."""
        self._ping = True
        self._woken.set()

    async def begin(self, after: int | None, *, lost: bool = False) -> None:
        """After a position; None: with what comes from now on. Call it once pushes are offered.

        `lost`: the client has something, but what comes after it is not known any more. It is told to load anew.
        """
        state = await self._state()
        if after is not None and after > state.position:
            after, lost = None, True
        self._last = state.position if after is None else after
        if lost:
            self._last = 0  # until the reset is handed out: whoever comes back before is told again
            self._waiting.append(_reset(state.position))
        self._newest = max(self._newest, state.position)
        self._behind = self._newest > self.end
        self._counted, self._counted_position = state.unread, state.position

    async def next(self) -> Message:
        """Wait for it."""
        while (message := self._ready()) is None:
            await self._look_out()
        return message

    def _ready(self) -> Message | None:
        """What need not be waited for."""
        while True:
            if self._ping:
                self._ping = False
                return self._message("ping", "{}")
            if self._counted is not None and self._last >= self._counted_position:
                counted, self._counted = self._counted, None
                return self._message("unread_count", f'{{"count": {counted}}}')
            if not self._waiting:
                return None
            frame = self._waiting.popleft()
            self._last = frame.position
            if frame.type in COUNTED and frame.position > self._counted_position:
                self._recount = True
            if frame.type != COUNT:  # which is not for clients
                return self._message(frame.type, frame.data)

    async def _look_out(self) -> None:
        """Until something may be ready: ask the store what is owed, or sleep."""
        if self._behind:
            await self._catch_up()
            return
        wait = self._count_at - asyncio.get_running_loop().time()
        if self._recount and wait <= 0:
            await self._count()
        else:
            await self._sleep(wait if self._recount else None)

    async def _sleep(self, seconds: float | None) -> None:
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _message(self, kind: str, data: str) -> Message:
        return Message(str(FrameId(self.stream, self._last)), kind, data)

    async def _catch_up(self) -> None:
        """A page of what the store has; pushes that come meanwhile are noted only."""
        CATCH_UPS.inc()
        frames = await self._asked(self._page)
        if frames is None:
            return
        if frames and frames[-1].position - self._last == len(frames):
            self._waiting.extend(frames)
        elif self._newest > self._last or frames:  # some between are not kept any more
            state = await self._asked(self._state)
            if state is None:
                return
            self._newest = max(self._newest, state.position)
            self._waiting.append(_reset(state.position))
        self._behind = self._newest > self.end

    async def _count(self) -> None:
        """How many are unread, as of a position: the frames up to there go before it."""
        self._count_at = asyncio.get_running_loop().time() + COUNT_SECONDS
        state = await self._asked(self._state)
        if state is not None:
            self._recount = False
            self._counted, self._counted_position = state.unread, state.position

    async def _page(self) -> Sequence[Numbered]:
        async with self._turns:
            return await self._queries.after(self._last)

    async def _asked(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """The store's answer; None, after a pause, while it is away."""
        try:
            return await question()
        except STORE_ERRORS as error:
            log.warning("live.store_away", error=str(error) or type(error).__name__)
        await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - to spread, not to hide
        return None


def _reset(position: int) -> Numbered:
    return Numbered(position, "reset", "{}")
