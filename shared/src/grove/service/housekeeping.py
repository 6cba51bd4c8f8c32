"""Forgetting what has served its time, and whom it concerned."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.outbox.postgres import INBOX_DAYS, InboxRow
from grove.service.deleting import delete_in_pieces
from grove.service.erasure import Erasure
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove.web.idempotency import KEPT

log = structlog.get_logger()

INTERVAL_SECONDS = 3600
AT_ONCE = 10_000
"""Rows that one statement deletes: however many there are, none runs into its time limit."""


class Housekeeping:
    """Once an hour: purges old inbox rows and idempotency keys, sweeps after erasures. Running twice does no harm."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], erasure: Erasure) -> None:
        self._sessions = sessions
        self._erasure = erasure

    async def run(self) -> None:
        """Clean until cancelled."""
        await every(INTERVAL_SECONDS, self.clean, away=())

    async def clean(self) -> None:
        """Once. A step that fails is logged, and keeps no other from its work."""
        steps = {
            "inbox": self._purge_inbox,
            "idempotency_keys": self._purge_keys,
            "of_erased_users": self._sweep,
        }
        done = {}
        for name, step in steps.items():
            try:
                done[name] = await step()
            except Exception:
                log.exception("housekeeping.failed", step=name)
        log.info("housekeeping", **done)

    async def _purge_inbox(self) -> int:
        """Events that were applied more than INBOX_DAYS ago; how many."""
        old = InboxRow.applied_at < now() - timedelta(days=INBOX_DAYS)
        return await delete_in_pieces(self._sessions, InboxRow, old, at_once=AT_ONCE)

    async def _purge_keys(self) -> int:
        """Answers older than KEPT; how many."""
        old = IdempotencyKeyRow.created_at < now() - KEPT
        return await delete_in_pieces(self._sessions, IdempotencyKeyRow, old, at_once=AT_ONCE)

    async def _sweep(self) -> int:
        return await self._erasure.sweep(self._sessions)
