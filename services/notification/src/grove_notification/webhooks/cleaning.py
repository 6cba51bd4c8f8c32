"""Once an hour: old deliveries and deleted webhooks go, secrets move to the newest key, and a webhook whose turn was
forgotten gets it.
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
from grove_notification.webhooks.deliveries import turns
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
            resealed=await self._reseal(),
            forgotten=await self._find_forgotten(),
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

    async def _find_forgotten(self) -> int:
        """Webhooks that would wait for ever by a mistake of ours (turns.py)."""
        async with self._sessions.begin() as session:
            connection = await session.connection()
            forgotten = await turns.too_late(connection)
            await turns.lower(connection, forgotten, now())
        if forgotten:
            log.error("webhooks.forgotten", count=len(forgotten), first=str(forgotten[0]))
        return len(forgotten)

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
