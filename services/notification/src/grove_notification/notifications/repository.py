"""Queries on notifications, always scoped by the acting user."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, Update, and_, bindparam, delete, func, select, tuple_, update
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

_MINE = Notification.user_id == bindparam("user_id")
_GET = Statement(
    NOTIFICATION_JSON.select(Notification.version).where(Notification.id == bindparam("notification_id"), _MINE)
)
UNREAD = select(func.count()).select_from(Notification).where(_MINE, Notification.read_at.is_(None))
"""How many of `user_id`'s are unread."""
_UNREAD = Statement(UNREAD)
_NEWEST_UNREAD = Statement(
    select(Notification.id).where(_MINE, Notification.read_at.is_(None)).order_by(Notification.id.desc()).limit(1)
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

    async def newest_unread(self) -> UUID | None:
        """The last of what is unread; None when nothing is. Ids rise with time."""
        newest: UUID | None = await self._reads.scalar(_NEWEST_UNREAD, user_id=self._user_id)
        return newest


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

    async def mark_read(self, *, behind: UUID, upto: UUID, limit: int) -> Sequence[UUID]:
        """Mark `limit` at most of what is unread behind one id and up to another; which those were, oldest first.

        Locked by one statement and marked by the next: a plan of both together may read the whole table.
        """
        unread = unread_between(self._user_id, behind, upto).limit(limit).with_for_update()
        ids = (await self._session.scalars(unread)).all()
        if ids:
            await (await self._session.connection()).execute(marking(ids))
        return ids

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


def unread_between(user_id: UUID, behind: UUID, upto: UUID) -> Select[UUID]:
    """The ids of what is unread behind one id and up to another, oldest first.

    By pairs, as the index of what is unread has them: no plan can walk all users' ids instead.
    """
    pair = tuple_(Notification.user_id, Notification.id)
    in_range = and_(pair > tuple_(user_id, behind), pair <= tuple_(user_id, upto))
    unread = select(Notification.id).where(in_range, Notification.read_at.is_(None))
    return unread.order_by(Notification.user_id, Notification.id)


def marking(ids: Sequence[UUID]) -> Update:
    """Marks as read what is locked."""
    return update(Notification).where(Notification.id.in_(ids)).values(read_at=now(), version=Notification.version + 1)
