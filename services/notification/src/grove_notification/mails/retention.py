"""Forgetting mails: what was sent long ago, and what was given up, whose content is sealed but there."""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.postgres.engine import STORE_ERRORS
from grove_notification.mails.repository import MailRepository

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
        while True:
            try:
                log.info("mails.deleted", mails=await self.delete())
            except STORE_ERRORS as error:
                log.warning("mails.retention_store_failed", error=str(error) or type(error).__name__)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def delete(self) -> int:
        """Once. How many are gone."""
        gone = 0
        while True:
            async with self._sessions.begin() as session:
                count = await MailRepository(session).delete_old(now() - self._age, BATCH)
            gone += count
            if count < BATCH:
                return gone
