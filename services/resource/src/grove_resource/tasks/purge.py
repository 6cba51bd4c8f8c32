"""Removing for good what was deleted long ago."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.recurring import every
from grove.outbox.postgres import Outbox
from grove.postgres.engine import STORE_ERRORS
from grove_resource.settings import ResourceSettings
from grove_resource.tasks import events
from grove_resource.tasks.deleted import DeletedTasks
from grove_resource.tasks.times import touch

log = structlog.get_logger()

INTERVAL_SECONDS = 3600
BATCH = 100


class Purge:
    """Once an hour removes the tasks that were deleted more than `days` ago; subtasks first. Many may run."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], *, days: int) -> None:
        self._sessions = sessions
        self._age = timedelta(days=days)

    async def run(self) -> None:
        """Purge until cancelled."""
        await every(INTERVAL_SECONDS, self.purge, away=STORE_ERRORS)

    async def purge(self) -> int:
        """Once. How many tasks are gone."""
        gone = 0
        while count := await self.purge_batch():
            gone += count
        log.info("tasks.purged", tasks=gone)
        return gone

    async def purge_batch(self) -> int:
        """Up to BATCH tasks, in one transaction. How many are gone."""
        async with self._sessions.begin() as session:
            deleted = DeletedTasks(session)
            ids = await deleted.lock_old(now() - self._age, BATCH)
            if not ids:
                return 0
            freed = await deleted.free_below(ids)
            gone = await deleted.remove(ids)
            for each in gone:
                touch(each.task)
            facts: list[tuple[EventData, int]] = []
            facts += [(events.updated(each, ["parent_id"]), each.task.version) for each in freed]
            facts += [(events.deleted(each, permanent=True), each.task.version) for each in gone]
            await Outbox(session, ResourceSettings.service).add(*facts)
        return len(gone)
