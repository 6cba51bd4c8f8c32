"""Forgetting frames that nobody resumes from any more."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.postgres.engine import STORE_ERRORS
from grove.service.deleting import delete_in_pieces
from grove_notification.models import LiveFrame

log = structlog.get_logger()

INTERVAL_SECONDS = 3600
BATCH = 5000
"""Rows that one statement deletes: however many there are, none runs long."""


class FramePurge:
    """Once an hour deletes frames older than `hours`. Many may run."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], *, hours: int) -> None:
        self._sessions = sessions
        self._age = timedelta(hours=hours)

    async def run(self) -> None:
        """Purge until cancelled."""
        while True:
            try:
                log.info("live.purged", frames=await self.purge())
            except STORE_ERRORS as error:
                log.warning("live.purge_store_unreachable", error=str(error) or type(error).__name__)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def purge(self) -> int:
        """Once. How many frames are gone."""
        old = LiveFrame.created_at < now() - self._age
        return await delete_in_pieces(self._sessions, LiveFrame, old, at_once=BATCH)
