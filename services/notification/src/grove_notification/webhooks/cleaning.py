"""Once an hour: old deliveries and deleted webhooks go, what waits for disabled ones ends, secrets move to the newest
key.
"""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove.security.encryption import DecryptionFailed, FieldCipher
from grove.service.deleting import delete_in_pieces
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.disabling import fail_waiting
from grove_notification.webhooks.repository import DELETED, IS_THERE
from grove_notification.webhooks.sealing import open_keys, seal_keys

log = structlog.get_logger()

INTERVAL_SECONDS = 3600
AT_ONCE = 1000


class WebhookCleaning:
    """Runs in every worker; running twice does no harm. `days`: how long ended deliveries are kept."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], cipher: FieldCipher, *, days: int) -> None:
        self._sessions = sessions
        self._cipher = cipher
        self._days = days

    async def run(self) -> None:
        """Clean until cancelled."""
        await every(INTERVAL_SECONDS, self.clean, away=STORE_ERRORS)

    async def clean(self) -> None:
        """Once."""
        log.info(
            "webhooks.cleaned",
            old=await self._delete(WebhookDelivery.finished_at < now() - timedelta(days=self._days)),
            of_deleted=await self._delete_webhooks(),
            of_disabled=await self._end_of_disabled(),
            resealed=await self._reseal(),
        )

    async def _delete(self, condition: ColumnElement[bool]) -> int:
        """Delete deliveries, some in each transaction; how many."""
        return await delete_in_pieces(self._sessions, WebhookDelivery, condition, at_once=AT_ONCE)

    async def _delete_webhooks(self) -> int:
        """Those that were deleted, after their deliveries; how many deliveries those were."""
        async with self._sessions() as session:
            deleted = (await session.scalars(select(Webhook.id).where(Webhook.status == DELETED))).all()
        count = 0
        for webhook_id in deleted:
            count += await self._delete(WebhookDelivery.webhook_id == webhook_id)
            async with self._sessions.begin() as session:
                await session.execute(delete(Webhook).where(Webhook.id == webhook_id))
        return count

    async def _end_of_disabled(self) -> int:
        """What was under way when they were disabled, and whose worker died."""
        waits = select(WebhookDelivery.id).where(
            WebhookDelivery.webhook_id == Webhook.id, WebhookDelivery.status == "pending"
        )
        disabled = select(Webhook.id).where(Webhook.status == "disabled")
        async with self._sessions() as session:
            found = (await session.scalars(disabled.where(waits.exists()))).all()
        count = 0
        for webhook_id in found:
            one = disabled.where(Webhook.id == webhook_id).with_for_update(key_share=True, skip_locked=True)
            async with self._sessions.begin() as session:
                if await session.scalar(one) is not None:
                    count += await fail_waiting(session, webhook_id, now())
        return count

    async def _reseal(self) -> int:
        async with self._sessions() as session:
            stored = await session.stream(select(Webhook.id, Webhook.secrets).where(IS_THERE))
            old = [row.id async for row in stored if not self._cipher.is_current(row.secrets)]
        return sum([await self._reseal_one(webhook_id) for webhook_id in old])

    async def _reseal_one(self, webhook_id: UUID) -> int:
        async with self._sessions.begin() as session:
            webhook = await session.get(Webhook, webhook_id, with_for_update={"key_share": True})
            if webhook is None:
                return 0
            try:
                keys = open_keys(self._cipher, webhook.id, webhook.secrets)
            except DecryptionFailed as error:
                log.error("webhook.secret_unreadable", webhook_id=str(webhook.id), error=str(error))
                return 0
            webhook.secrets = seal_keys(self._cipher, webhook.id, keys)
            return 1
