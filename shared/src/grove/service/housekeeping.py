"""Forgetting what has served its time, and whom it concerned."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.recurring import every
from grove.outbox.postgres import PostgresInbox
from grove.postgres.engine import STORE_ERRORS
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import purge_keys

log = structlog.get_logger()

INTERVAL_SECONDS = 3600


class Housekeeping:
    """Once an hour: purges old inbox rows and idempotency keys, sweeps after erasures. Running twice does no harm."""

    def __init__(self, inbox: PostgresInbox, sessions: async_sessionmaker[AsyncSession], erasure: Erasure) -> None:
        self._inbox = inbox
        self._sessions = sessions
        self._erasure = erasure

    async def run(self) -> None:
        """Clean until cancelled."""
        await every(INTERVAL_SECONDS, self.clean, away=STORE_ERRORS)

    async def clean(self) -> None:
        """Once."""
        log.info(
            "housekeeping",
            inbox=await self._inbox.purge(),
            idempotency_keys=await purge_keys(self._sessions),
            of_erased_users=await self._erasure.sweep(self._sessions),
        )
