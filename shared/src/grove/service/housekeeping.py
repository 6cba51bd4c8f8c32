"""Forgetting what has served its time."""

import asyncio

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.outbox.postgres import PostgresInbox
from grove.postgres.engine import STORE_ERRORS
from grove.service.idempotency_keys import purge_keys

log = structlog.get_logger()

INTERVAL_SECONDS = 3600


class Housekeeping:
    """Purges old inbox rows and idempotency keys once an hour. Running twice does no harm."""

    def __init__(self, inbox: PostgresInbox, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._inbox = inbox
        self._sessions = sessions

    async def run(self) -> None:
        """Purge until cancelled."""
        while True:
            try:
                log.info(
                    "housekeeping",
                    inbox=await self._inbox.purge(),
                    idempotency_keys=await purge_keys(self._sessions),
                )
            except STORE_ERRORS as error:
                log.warning("housekeeping.store_unreachable", error=str(error))
            await asyncio.sleep(INTERVAL_SECONDS)
