"""Once a minute: a webhook for which more waits than may is disabled, so that no endpoint fills the table."""

from functools import partial
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove_notification.mails.queue import MailQueue
from grove_notification.models import Webhook
from grove_notification.webhooks.disabling import disable
from grove_notification.wording.webhooks import too_much_waited

INTERVAL_SECONDS = 60
# of each webhook as many entries of an index are read as may wait; most have none
_FULL = text("""
SELECT w.id FROM webhooks w WHERE w.status = 'active' AND EXISTS (
  SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' OFFSET CAST(:most AS integer)
)
""")


class Backlog:
    """Runs in every worker; running twice does no harm. `most`: deliveries that may wait for an endpoint."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], mails: MailQueue, *, most: int) -> None:
        self._sessions = sessions
        self._mails = mails
        self._most = most

    async def run(self) -> None:
        """Look until cancelled."""
        await every(INTERVAL_SECONDS, self.look, away=STORE_ERRORS)

    async def look(self) -> int:
        """Once; how many were disabled."""
        async with self._sessions() as session:
            full = (await session.scalars(_FULL, {"most": self._most})).all()
        return sum([await self._disable(webhook_id) for webhook_id in full])

    async def _disable(self, webhook_id: UUID) -> int:
        active = select(Webhook).where(Webhook.id == webhook_id, Webhook.status == "active")
        async with self._sessions.begin() as session:
            webhook = await session.scalar(active.with_for_update(key_share=True))
            if webhook is None:
                return 0
            reason = f"More than {self._most} deliveries waited for the endpoint."
            await disable(session, self._mails, webhook, reason, partial(too_much_waited, self._most), now())
            return 1
