"""Queries on notifications, always scoped by the acting user."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.base import AnyRow
from grove.postgres.reads import Reads
from grove_notification.models import Notification
from grove_notification.notifications.errors import NotificationNotFound

READ_COLUMNS = (
    Notification.id,
    Notification.type,
    Notification.title,
    Notification.message,
    Notification.task_id,
    Notification.link,
    Notification.created_at,
    Notification.read_at,
    Notification.version,
)
MAX_REPLAY = 500


class NotificationQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, notification_id: UUID) -> AnyRow:
        """One notification. Raises NotificationNotFound."""
        row = await self._reads.first(
            select(*READ_COLUMNS).where(Notification.id == notification_id, Notification.user_id == self._user_id)
        )
        if row is None:
            raise NotificationNotFound
        return row

    async def unread(self) -> int:
        """How many are unread."""
        counted = await self._reads.scalar(
            select(func.count())
            .select_from(Notification)
            .where(Notification.user_id == self._user_id, Notification.read_at.is_(None))
        )
        return counted or 0

    async def after(self, notification_id: UUID) -> Sequence[AnyRow]:
        """What came after a notification, oldest first: ids rise with time."""
        return await self._reads.all(
            select(*READ_COLUMNS)
            .where(Notification.user_id == self._user_id, Notification.id > notification_id)
            .order_by(Notification.id)
            .limit(MAX_REPLAY)
        )


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

    async def mark_all_read(self) -> int:
        """Mark what is unread; how many that were."""
        changed = await self._session.execute(
            update(Notification)
            .where(Notification.user_id == self._user_id, Notification.read_at.is_(None))
            .values(read_at=now(), version=Notification.version + 1)
            .returning(Notification.id)
        )
        return len(changed.all())

    async def delete(self, ids: Sequence[UUID]) -> int:
        """Delete those of `ids` that are the user's; how many that were."""
        gone = await self._session.execute(
            delete(Notification)
            .where(Notification.user_id == self._user_id, Notification.id.in_(ids))
            .returning(Notification.id)
        )
        return len(gone.all())
