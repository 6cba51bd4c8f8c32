"""Queries on webhooks, always scoped by the acting user."""

import zlib
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_notification.models import Webhook
from grove_notification.webhooks.disabling import fail_some, fail_waiting
from grove_notification.webhooks.errors import WebhookNotFound
from grove_notification.webhooks.schemas import WebhookRead

WEBHOOK_JSON = JsonRow(
    Webhook,
    WebhookRead,
    {
        "id": Webhook.id,
        "url": Webhook.url,
        "event_types": Webhook.event_types,
        "description": Webhook.description,
        "signature": Webhook.signature,
        "public_key": Webhook.public_key,
        "ordered": Webhook.ordered,
        "status": Webhook.status,
        "disabled_reason": Webhook.disabled_reason,
        "failing_since": Webhook.failing_since,
        "resume_at": Webhook.resume_at,
        "created_at": Webhook.created_at,
        "updated_at": Webhook.updated_at,
    },
)
_LOCK_CLASS = 0x7768  # the advisory locks of users who add webhooks
DELETED = "deleted"
"""The status of a webhook that is there for nobody; the cleaning removes it, after its deliveries (cleaning.py)."""
IS_THERE = Webhook.status != DELETED
_MINE = (Webhook.id == bindparam("webhook_id"), Webhook.user_id == bindparam("user_id"), IS_THERE)
_GET = Statement(WEBHOOK_JSON.select(Webhook.version).where(*_MINE))
_THERE = Statement(select(Webhook.id).where(*_MINE))


class WebhookQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, webhook_id: UUID) -> tuple[str, int]:
        """One webhook's JSON, and its version. Raises WebhookNotFound."""
        row = await self._reads.first(_GET, webhook_id=webhook_id, user_id=self._user_id)
        if row is None:
            raise WebhookNotFound
        return row[0], row[1]

    async def check(self, webhook_id: UUID) -> None:
        """Raises WebhookNotFound."""
        if await self._reads.scalar(_THERE, webhook_id=webhook_id, user_id=self._user_id) is None:
            raise WebhookNotFound


class WebhookRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def add(self, webhook: Webhook, *, most: int) -> bool:
        """Insert; False when the user has `most` already."""
        turn = zlib.crc32(self.user_id.bytes) - 2**31
        await self._session.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, turn)))
        count = select(func.count()).select_from(Webhook).where(Webhook.user_id == self.user_id, IS_THERE)
        if (await self._session.scalar(count) or 0) >= most:
            return False
        self._session.add(webhook)
        await self._session.flush()
        return True

    async def locked(self, webhook_id: UUID) -> Webhook:
        """The webhook, held until the transaction ends; facts are queued for it meanwhile. Raises WebhookNotFound."""
        return await self._held(self._one(webhook_id).with_for_update(key_share=True))

    async def locked_alone(self, webhook_id: UUID) -> Webhook:
        """The same when no facts are being queued for it, and none are meanwhile."""
        return await self._held(self._one(webhook_id).with_for_update())

    async def flush(self) -> None:
        """Write what was changed of locked webhooks."""
        await self._session.flush()

    async def end_some(self, webhook: Webhook) -> None:
        """End some of what waits for a locked webhook that was disabled."""
        await self._session.flush()
        await fail_some(self._session, webhook.id, now())

    async def end_waiting(self, webhook: Webhook) -> None:
        """End all that waits for a webhook that is held alone."""
        await self._session.flush()
        await fail_waiting(self._session, webhook.id, now())

    def _one(self, webhook_id: UUID) -> Select[Webhook]:
        return select(Webhook).where(Webhook.id == webhook_id, Webhook.user_id == self.user_id, IS_THERE)

    async def _held(self, one: Select[Webhook]) -> Webhook:
        found = await self._session.scalar(one)
        if found is None:
            raise WebhookNotFound
        return found
