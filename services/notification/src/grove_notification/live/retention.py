"""Forgetting frames that nobody resumes from any more."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
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
        await every(INTERVAL_SECONDS, self.purge, away=STORE_ERRORS)

    async def purge(self) -> int:
        """Once. How many frames are gone."""
        old = LiveFrame.created_at < now() - self._age
        gone = await delete_in_pieces(self._sessions, LiveFrame, old, at_once=BATCH)
        log.info("live.purged", frames=gone)
        return gone
