"""Forgetting notifications that were read long ago."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove.service.deleting import delete_in_pieces
from grove_notification.models import Notification

log = structlog.get_logger()

AT_ONCE = 1000
INTERVAL_SECONDS = 3600


class Retention:
    """Once an hour; running in several workers does no harm. `days`: how long what was read is kept."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], *, days: int) -> None:
        self._sessions = sessions
        self._kept = timedelta(days=days)

    async def run(self) -> None:
        """Purge until cancelled."""
        await every(INTERVAL_SECONDS, self.purge, away=STORE_ERRORS)

    async def purge(self) -> int:
        """Delete what was read longer ago than it is kept; how many rows."""
        old = Notification.read_at < now() - self._kept
        gone = await delete_in_pieces(self._sessions, Notification, old, at_once=AT_ONCE)
        log.info("notifications.purged", notifications=gone)
        return gone
