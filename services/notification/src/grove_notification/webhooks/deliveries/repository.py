"""Queries on deliveries, always scoped by the acting user."""

from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries.schemas import (
    DeliveryRead,
    DeliveryStatus,
    DeliveryWithTries,
    Queued,
    Redelivery,
)
from grove_notification.webhooks.errors import DeliveryNotFound
from grove_notification.webhooks.repository import IS_THERE

AT_ONCE = 5000
"""Deliveries that one request sends once more at most."""

DELIVERY_JSON = JsonRow(
    WebhookDelivery,
    DeliveryRead,
    {
        "id": WebhookDelivery.id,
        "event_id": WebhookDelivery.event_id,
        "message_id": WebhookDelivery.message_id,
        "event_type": WebhookDelivery.event_type,
        "status": WebhookDelivery.status,
        "attempts": WebhookDelivery.attempts,
        "response_status": WebhookDelivery.response_status,
        "response_excerpt": WebhookDelivery.response_excerpt,
        "error": WebhookDelivery.last_error,
        "next_attempt_at": case((WebhookDelivery.leased_until.is_(None), WebhookDelivery.next_attempt_at)),
        "created_at": WebhookDelivery.created_at,
        "finished_at": WebhookDelivery.finished_at,
    },
)
OF_ONE_OF_MINE = (
    select(Webhook.id)
    .where(Webhook.id == bindparam("webhook_id"), Webhook.user_id == bindparam("user_id"), IS_THERE)
    .correlate(None)
    .exists()
)
"""Asked once for a whole list: `webhook_id` is a webhook of the acting user."""
HAS_STATUS: dict[str, ColumnElement[bool]] = {
    status: WebhookDelivery.status == literal_column(f"'{status}'") for status in get_args(DeliveryStatus)
}
"""By constants, as indexes have them: a plan for all values can use those then."""
_WHOLE = DELIVERY_JSON.extended(DeliveryWithTries, {"body": WebhookDelivery.body, "tries": WebhookDelivery.tries})
_GET = Statement(
    _WHOLE.select().where(
        WebhookDelivery.id == bindparam("delivery_id"),
        WebhookDelivery.webhook_id == bindparam("webhook_id"),
        OF_ONE_OF_MINE,
    )
)


class DeliveryQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, webhook_id: UUID, delivery_id: UUID) -> str:
        """One delivery's JSON. Raises DeliveryNotFound."""
        found: str | None = await self._reads.scalar(
            _GET, delivery_id=delivery_id, webhook_id=webhook_id, user_id=self._user_id
        )
        if found is None:
            raise DeliveryNotFound
        return found


class DeliveryRepository:
    """Rows for change, in a transaction that holds their webhook."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, delivery: WebhookDelivery) -> None:
        """Insert."""
        self._session.add(delivery)
        await self._session.flush()

    async def locked(self, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        """The delivery, locked until the transaction ends. Raises DeliveryNotFound."""
        found = await self._session.scalar(
            select(WebhookDelivery)
            .where(
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.webhook_id == webhook_id,
                WebhookDelivery.user_id == self._user_id,
            )
            .with_for_update()
        )
        if found is None:
            raise DeliveryNotFound
        return found

    async def waiting(self, webhook_id: UUID, *, most: int) -> int:
        """How many wait, counted up to `most`."""
        pending = select(WebhookDelivery.id).where(WebhookDelivery.webhook_id == webhook_id, HAS_STATUS["pending"])
        return await self._session.scalar(select(func.count()).select_from(pending.limit(most).subquery())) or 0

    async def queue_again(self, webhook_id: UUID, wanted: Redelivery, *, room: int, moment: datetime) -> Queued:
        """Send once more what is wanted of a locked webhook: the oldest of it, `room` or AT_ONCE of them.

        Those of the same moment are not parted, so that asking again can begin behind them.
        """
        statuses = (
            [HAS_STATUS["failed"]] if wanted.status == "failed" else [HAS_STATUS["failed"], HAS_STATUS["delivered"]]
        )
        those = [WebhookDelivery.webhook_id == webhook_id, or_(*statuses)]
        until = [] if wanted.until is None else [WebhookDelivery.created_at < wanted.until]
        at = select(WebhookDelivery.created_at).where(*those, *until).order_by(WebhookDelivery.created_at).limit(1)
        here = WebhookDelivery.created_at >= wanted.since
        if room <= 0:
            left = await self._session.scalar(at.where(here))
            return Queued(queued=0, next_since=left and wanted.since)
        last = await self._session.scalar(at.where(here).offset(min(room, AT_ONCE) - 1))
        if last is not None:
            until = [WebhookDelivery.created_at <= last]
        queued = (
            update(WebhookDelivery)
            .where(*those, here, *until)
            .values(**again(moment))
            .returning(WebhookDelivery.id)
            .execution_options(synchronize_session=False)
        )
        count = len((await self._session.execute(queued)).all())
        left = None if last is None else await self._session.scalar(at.where(WebhookDelivery.created_at > last))
        return Queued(queued=count, next_since=left)


def again(moment: datetime) -> dict[str, Any]:
    """The values of a delivery that begins anew."""
    return {"status": "pending", "attempts": 0, "next_attempt_at": moment, "finished_at": None}
