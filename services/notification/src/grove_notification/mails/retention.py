"""Forgetting mails: what was sent long ago, and what was given up, whose content is sealed but there."""

from datetime import timedelta

import structlog
from sqlalchemy import and_
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove.service.deleting import delete_in_pieces
from grove_notification.models import Mail

log = structlog.get_logger()

INTERVAL_SECONDS = 3600
BATCH = 1000


class MailRetention:
    """Once an hour deletes the mails that are older than `days` and not queued. Many may run."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], *, days: int) -> None:
        self._sessions = sessions
        self._age = timedelta(days=days)

    async def run(self) -> None:
        """Delete until cancelled."""
        await every(INTERVAL_SECONDS, self.delete, away=STORE_ERRORS)

    async def delete(self) -> int:
        """Once. How many are gone."""
        old = and_(Mail.created_at < now() - self._age, Mail.status != "queued")
        gone = await delete_in_pieces(self._sessions, Mail, old, at_once=BATCH)
        log.info("mails.deleted", mails=gone)
        return gone
