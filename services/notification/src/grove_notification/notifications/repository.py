"""Queries on notifications, always scoped by the acting user."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_notification.models import Notification
from grove_notification.notifications.errors import NotificationNotFound
from grove_notification.notifications.schemas import NotificationRead

NOTIFICATION_JSON = JsonRow(
    Notification,
    NotificationRead,
    {
        "id": Notification.id,
        "type": Notification.type,
        "title": Notification.title,
        "message": Notification.message,
        "is_read": Notification.read_at.is_not(None),
        "task_id": Notification.task_id,
        "link": Notification.link,
        "created_at": Notification.created_at,
        "read_at": Notification.read_at,
    },
)
MAX_REPLAY = 500

_MINE = Notification.user_id == bindparam("user_id")
_GET = Statement(
    NOTIFICATION_JSON.select(Notification.version).where(Notification.id == bindparam("notification_id"), _MINE)
)
_UNREAD = Statement(select(func.count()).select_from(Notification).where(_MINE, Notification.read_at.is_(None)))
_AFTER = Statement(
    NOTIFICATION_JSON.select(Notification.id)
    .where(_MINE, Notification.id > bindparam("last_seen"))
    .order_by(Notification.id)
    .limit(MAX_REPLAY)
)


class NotificationQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, notification_id: UUID) -> tuple[str, int]:
        """One notification's JSON, and its version. Raises NotificationNotFound."""
        row = await self._reads.first(_GET, notification_id=notification_id, user_id=self._user_id)
        if row is None:
            raise NotificationNotFound
        return row[0], row[1]

    async def unread(self) -> int:
        """How many are unread."""
        count: int = await self._reads.scalar(_UNREAD, user_id=self._user_id)
        return count

    async def after(self, last_seen: UUID) -> Sequence[tuple[str, UUID]]:
        """What came after a notification, oldest first, as JSON with its id: ids rise with time."""
        rows = await self._reads.all(_AFTER, last_seen=last_seen, user_id=self._user_id)
        return [(row[0], row[1]) for row in rows]


class NotificationRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def locked(self, notification_id: UUID) -> Notification:
        """The notification, locked until the transaction ends. Raises NotificationNotFound."""
        found = await self._session.scalar(
            select(Notification)
            .where(Notification.id == notification_id, Notification.user_id == self._user_id)
            .with_for_update()
        )
        if found is None:
            raise NotificationNotFound
        return found

    async def mark_read(self, limit: int) -> int:
        """Mark up to `limit` of what is unread; how many that were."""
        unread = (
            select(Notification.id)
            .where(Notification.user_id == self._user_id, Notification.read_at.is_(None))
            .order_by(Notification.id)
            .limit(limit)
            .with_for_update()
        )
        changed = await (await self._session.connection()).execute(
            update(Notification)
            .where(Notification.id.in_(unread))
            .values(read_at=now(), version=Notification.version + 1)
        )
        return changed.rowcount

    async def delete(self, ids: Sequence[UUID]) -> int:
        """Delete those of `ids` that are the user's; how many that were."""
        own = (
            select(Notification.id)
            .where(Notification.user_id == self._user_id, Notification.id.in_(ids))
            .order_by(Notification.id)
            .with_for_update()
        )
        gone = await (await self._session.connection()).execute(delete(Notification).where(Notification.id.in_(own)))
        return gone.rowcount
