"""Queries on deliveries, always scoped by the acting user."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.errors import DeliveryNotFound
from grove_notification.webhooks.repository import IS_THERE
from grove_notification.webhooks.schemas import DeliveryRead, DeliveryWithBody

AT_ONCE = 5000
"""Deliveries that one request sends once more at most."""

DELIVERY_JSON = JsonRow(
    WebhookDelivery,
    DeliveryRead,
    {
        "id": WebhookDelivery.id,
        "event_id": WebhookDelivery.event_id,
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
OF_ONE_THAT_IS_THERE = select(Webhook.id).where(Webhook.id == WebhookDelivery.webhook_id, IS_THERE).exists()
_WHOLE = DELIVERY_JSON.extended(DeliveryWithBody, {"body": WebhookDelivery.body})
_GET = Statement(
    _WHOLE.select().where(
        WebhookDelivery.id == bindparam("delivery_id"),
        WebhookDelivery.webhook_id == bindparam("webhook_id"),
        WebhookDelivery.user_id == bindparam("user_id"),
        OF_ONE_THAT_IS_THERE,
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

    async def queue_again(
        self, webhook_id: UUID, statuses: list[str], since: datetime, until: datetime | None, moment: datetime
    ) -> int:
        """Send once more what has one of the statuses and was created in the range, AT_ONCE of the oldest at most; how
        many those are.
        """
        within = [WebhookDelivery.created_at >= since]
        if until is not None:
            within.append(WebhookDelivery.created_at < until)
        chosen = (
            select(WebhookDelivery.id)
            .where(
                WebhookDelivery.webhook_id == webhook_id,
                WebhookDelivery.user_id == self._user_id,
                WebhookDelivery.status.in_(statuses),
                *within,
            )
            .order_by(WebhookDelivery.created_at, WebhookDelivery.id)
            .limit(AT_ONCE)
        )
        queued = (
            update(WebhookDelivery)
            .where(WebhookDelivery.id.in_(chosen))
            .values(**again(moment))
            .returning(WebhookDelivery.id)
            .execution_options(synchronize_session=False)
        )
        return len((await self._session.execute(queued)).all())


def again(moment: datetime) -> dict[str, Any]:
    """The values of a delivery that begins anew."""
    return {"status": "pending", "attempts": 0, "next_attempt_at": moment, "finished_at": None}
