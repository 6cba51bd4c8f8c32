"""The rules of notifications."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.web.etag import Conditions, etag
from grove_notification.live import stream
from grove_notification.live.push import LivePush
from grove_notification.live.stream import Frame
from grove_notification.models import Notification
from grove_notification.notifications.repository import NotificationRepository

AT_ONCE = 2000
_FIRST = UUID(int=0)


class NotificationService:
    """Marks and deletes notifications of the acting user. Never commits."""

    def __init__(self, notifications: NotificationRepository, changed: Callable[[], Awaitable[None]]) -> None:
        """`changed` is called once how many are unread may be another number, for other tabs and devices."""
        self._notifications = notifications
        self._changed = changed

    async def mark(self, notification_id: UUID, conditions: Conditions, *, is_read: bool) -> Notification:
        """Read or unread; nothing changes when it already is so."""
        notification = await self._notifications.locked(notification_id)
        conditions.require(etag(notification.id, notification.version))
        if (notification.read_at is not None) != is_read:
            notification.read_at = now() if is_read else None
            notification.version += 1
            await self._changed()
        return notification

    async def delete(self, notification_id: UUID, conditions: Conditions) -> None:
        """Delete one. Raises NotificationNotFound."""
        notification = await self._notifications.locked(notification_id)
        conditions.require(etag(notification.id, notification.version))
        await self.delete_many([notification_id])

    async def delete_many(self, ids: Sequence[UUID]) -> int:
        """Delete several; how many were there."""
        deleted = await self._notifications.delete(ids)
        if deleted:
            await self._changed()
        return deleted


async def count_changed(session: AsyncSession, user_id: UUID) -> Frame:
    """Write a frame for it, at the end of the transaction; push it after the commit."""
    frame = stream.collect(session, Frame(user_id, stream.COUNT, {}))
    await stream.write(session)
    return frame


async def mark_all_read(
    sessions: async_sessionmaker[AsyncSession], push: LivePush, user_id: UUID, *, upto: UUID
) -> int:
    """Mark what is unread up to that one, oldest first; how many that were. What comes meanwhile stays unread.

    Some in each transaction: however many somebody let come together, no statement runs into its time limit, and who
    has to try again has less to do.
    """
    count, last = 0, _FIRST
    while True:
        async with sessions.begin() as session:
            marked = await NotificationRepository(session, user_id).mark_read(behind=last, upto=upto, limit=AT_ONCE)
            frame = await count_changed(session, user_id) if marked else None
        if frame is not None:
            await push.send(frame)
        count += len(marked)
        if len(marked) < AT_ONCE:
            return count
        last = marked[-1]
