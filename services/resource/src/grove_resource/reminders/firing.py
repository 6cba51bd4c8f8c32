"""Firing reminders when their time has come: exactly once each, by however many workers.

A worker marks what is due and writes the events in one transaction. What one holds the others pass over; when it dies,
its transaction is undone and they find it again.
"""

import asyncio

import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.outbox.postgres import Outbox
from grove.postgres.engine import STORE_ERRORS
from grove.postgres.reads import Reads
from grove_resource.reminders import events
from grove_resource.reminders.due import claim, seconds_to_next
from grove_resource.settings import ResourceSettings

log = structlog.get_logger()

BATCH = 100
ALARM_SECONDS = 60
HELD_BY_OTHERS_SECONDS = 0.1
STORE_AWAY_SECONDS = 1.0

LATE = Gauge("grove_reminders_late_seconds", "How late the oldest reminder is that is due and has not fired")


class Firing:
    """Runs in every worker. `look_seconds`: how often it looks for reminders that were set since."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], reads: Reads, *, look_seconds: float) -> None:
        self._sessions = sessions
        self._reads = reads
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Fire until cancelled; a lost database is looked for each second."""
        while True:
            try:
                await asyncio.sleep(await self.fire_due())
            except STORE_ERRORS as error:
                log.warning("reminders.store_unreachable", error=str(error) or type(error).__name__)
                await asyncio.sleep(STORE_AWAY_SECONDS)

    async def fire_due(self) -> float:
        """Fire all that is due. Gives the seconds to wait until the next look."""
        while True:
            seconds = await self._to_next()
            if seconds is None:
                return self._look_seconds
            if seconds > 0:
                return min(seconds, self._look_seconds)
            if await self.fire_batch() == 0:
                return HELD_BY_OTHERS_SECONDS

    async def fire_batch(self) -> int:
        """Fire up to BATCH in one transaction. How many were due."""
        async with self._sessions.begin() as session:
            count, fired = await claim(session, BATCH)
            outbox = Outbox(session, ResourceSettings.service)
            await outbox.add(*((events.due(each), each.number) for each in fired))
        return count

    async def check(self) -> str | None:
        """A health check; also feeds the metric."""
        late = -(await self._to_next() or 0.0)
        if late <= ALARM_SECONDS:
            return None
        return f"a reminder is {late:.0f} s late; see whether this process keeps up with them"

    async def _to_next(self) -> float | None:
        seconds = await seconds_to_next(self._reads)
        LATE.set(max(0.0, -(seconds or 0.0)))
        return seconds
