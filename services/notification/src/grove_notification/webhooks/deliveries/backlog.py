"""Once a minute: a webhook for which more waits than may is disabled, so that no endpoint fills the table; and what
waits for disabled ones ends.
"""

from functools import partial
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove_notification.mails.queue import MailQueue
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries import metrics
from grove_notification.webhooks.deliveries.repository import HAS_STATUS
from grove_notification.webhooks.disabling import disable, fail_some
from grove_notification.wording.webhooks import too_much_waited

INTERVAL_SECONDS = 60
# of each webhook as many entries of an index are read as may wait; most have none
_FULL = text("""
SELECT w.id FROM webhooks w WHERE w.status = 'active' AND EXISTS (
  SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' OFFSET CAST(:most AS integer)
)
""")
_WAITING = select(func.count()).select_from(WebhookDelivery).where(HAS_STATUS["pending"])
_DISABLED = select(Webhook.id).where(Webhook.status == "disabled")
_WAITS = select(WebhookDelivery.id).where(WebhookDelivery.webhook_id == Webhook.id, HAS_STATUS["pending"]).exists()


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
            metrics.WAITING.set(await session.scalar(_WAITING) or 0)
            full = (await session.scalars(_FULL, {"most": self._most})).all()
        count = sum([await self._disable(webhook_id) for webhook_id in full])
        await self.end_of_disabled()
        return count

    async def end_of_disabled(self) -> int:
        """End what disabling left: the many, and what was under way in a worker that died; how many those were."""
        async with self._sessions() as session:
            found = (await session.scalars(_DISABLED.where(_WAITS))).all()
        return sum([await self._end_of(webhook_id) for webhook_id in found])

    async def _end_of(self, webhook_id: UUID) -> int:
        """In pieces, each of which shares the webhook's row: only who enables it waits."""
        shared = _DISABLED.where(Webhook.id == webhook_id).with_for_update(read=True, key_share=True)
        count = 0
        while True:
            async with self._sessions.begin() as session:
                there = await session.scalar(shared) is not None
                ended = await fail_some(session, webhook_id, now()) if there else 0
            count += ended
            if not ended:
                return count

    async def _disable(self, webhook_id: UUID) -> int:
        active = select(Webhook).where(Webhook.id == webhook_id, Webhook.status == "active")
        async with self._sessions.begin() as session:
            webhook = await session.scalar(active.with_for_update(key_share=True))
            if webhook is None:
                return 0
            await disable(session, self._mails, webhook, partial(too_much_waited, self._most), now())
            return 1
