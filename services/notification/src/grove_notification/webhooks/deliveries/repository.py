"""Queries on deliveries, always scoped by the acting user."""

from datetime import datetime
from typing import get_args
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, case, func, literal_column, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove.web.etag import content_etag
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
    _WHOLE.select()
    .add_columns(WebhookDelivery.event_type)
    .where(
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

    async def get(self, webhook_id: UUID, delivery_id: UUID) -> tuple[str, str]:
        """One delivery's JSON, and its event type. Raises DeliveryNotFound."""
        row = await self._reads.first(_GET, delivery_id=delivery_id, webhook_id=webhook_id, user_id=self._user_id)
        if row is None:
            raise DeliveryNotFound
        return row[0], row[1]


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

    async def tag(self, delivery: WebhookDelivery) -> str:
        """The entity tag by which it can be read."""
        await self._session.flush()
        whole: str = (await self._session.scalars(_WHOLE.select().where(WebhookDelivery.id == delivery.id))).one()
        return content_etag(whole)

    async def make_due(self, webhook_id: UUID, moment: datetime) -> None:
        """All that waits for a locked webhook, and is in nobody's hands, is due at once."""
        await self._session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.webhook_id == webhook_id,
                HAS_STATUS["pending"],
                WebhookDelivery.leased_until.is_(None),
                WebhookDelivery.next_attempt_at > moment,
            )
            .values(next_attempt_at=moment),
            execution_options={"synchronize_session": False},
        )

    async def queue_again(self, webhook_id: UUID, wanted: Redelivery, *, room: int, moment: datetime) -> Queued:
        """Send once more what is wanted of a locked webhook: the oldest of it, `room` or AT_ONCE of them.

        Those of the same moment are not parted, so that asking again can begin behind them.
        """
        if room <= 0:
            left = await self._session.scalar(_oldest(webhook_id, wanted))
            return Queued(queued=0, next_since=left and wanted.since)
        last = await self._session.scalar(_oldest(webhook_id, wanted).offset(min(room, AT_ONCE) - 1))
        count = await self._begin_anew(webhook_id, wanted, last, moment)
        if last is None:
            return Queued(queued=count, next_since=None)
        behind = _oldest(webhook_id, wanted).where(WebhookDelivery.created_at > last)
        return Queued(queued=count, next_since=await self._session.scalar(behind))

    async def _begin_anew(self, webhook_id: UUID, wanted: Redelivery, last: datetime | None, moment: datetime) -> int:
        """Those that were created until `last`; how many."""
        upto = [] if last is None else [WebhookDelivery.created_at <= last]
        queued = await self._session.execute(
            update(WebhookDelivery)
            .where(*_wanted(webhook_id, wanted), *upto)
            .values(status="pending", attempts=0, next_attempt_at=moment, finished_at=None)
            .returning(WebhookDelivery.id),
            execution_options={"synchronize_session": False},
        )
        return len(queued.all())


def _wanted(webhook_id: UUID, wanted: Redelivery) -> list[ColumnElement[bool]]:
    """The ended deliveries that a request is about."""
    ended = [HAS_STATUS["failed"]] if wanted.status == "failed" else [HAS_STATUS["failed"], HAS_STATUS["delivered"]]
    found = [WebhookDelivery.webhook_id == webhook_id, or_(*ended), WebhookDelivery.created_at >= wanted.since]
    return found if wanted.until is None else [*found, WebhookDelivery.created_at < wanted.until]


def _oldest(webhook_id: UUID, wanted: Redelivery) -> Select[datetime]:
    """When the first of them was created."""
    created = WebhookDelivery.created_at
    return select(created).where(*_wanted(webhook_id, wanted)).order_by(created).limit(1)
