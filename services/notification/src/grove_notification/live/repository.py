"""Queries on a user's live stream: reads, one statement each."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, cast, func, select

from grove.postgres.reads import Reads, Statement
from grove_notification.live.frames import Numbered
from grove_notification.models import LiveFrame, LivePosition, Notification

PAGE = 100
NEWEST = 5000
"""Frames among which that of a notification is looked for, however many are kept."""

_USER = bindparam("user_id", type_=Uuid)
_users = func.unnest(bindparam("users", type_=ARRAY(Uuid))).table_valued("user_id").render_derived()
_unread = (
    select(func.count())
    .select_from(Notification)
    .where(Notification.user_id == _users.c.user_id, Notification.read_at.is_(None))
    .scalar_subquery()
)
_STATES = Statement(
    select(_users.c.user_id, func.coalesce(LivePosition.position, 0).label("position"), _unread.label("unread"))
    .select_from(_users)
    .outerjoin(LivePosition, LivePosition.user_id == _users.c.user_id)
)
_AFTER = Statement(
    select(LiveFrame.position, LiveFrame.type, cast(LiveFrame.data, Text).label("data"))
    .where(LiveFrame.user_id == _USER, LiveFrame.position > bindparam("last"))
    .order_by(LiveFrame.position)
    .limit(PAGE)
)
_newest = (
    select(LiveFrame.position, LiveFrame.type, LiveFrame.data)
    .where(LiveFrame.user_id == _USER)
    .order_by(LiveFrame.position.desc())
    .limit(bindparam("newest"))
    .subquery()
)
_OF_NOTIFICATION = Statement(
    select(_newest.c.position).where(
        _newest.c.type == "notification",
        _newest.c.data["id"].as_string() == bindparam("notification_id"),
    )
)
_POSITIONS = Statement(
    select(LivePosition.user_id, LivePosition.position).where(
        LivePosition.user_id == func.any(bindparam("users", type_=ARRAY(Uuid)))
    )
)


@dataclass(frozen=True, slots=True)
class State:
    """How far a user's stream is, and how many of their notifications are unread, at one moment."""

    position: int
    unread: int


class LiveQueries:
    """A user's stream."""

    __slots__ = ("_reads", "_user_id")

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def after(self, last: int) -> Sequence[Numbered]:
        """Up to PAGE frames after a position, in order."""
        rows = await self._reads.all(_AFTER, user_id=self._user_id, last=last)
        return [Numbered(row.position, row.type, row.data) for row in rows]

    async def of_notification(self, notification_id: UUID) -> int | None:
        """The position at which a notification was sent; None when it is not among the NEWEST, or not theirs."""
        position: int | None = await self._reads.scalar(
            _OF_NOTIFICATION, user_id=self._user_id, notification_id=str(notification_id), newest=NEWEST
        )
        return position


async def states(reads: Reads, users: Sequence[UUID]) -> dict[UUID, State]:
    """The state of each of several users."""
    rows = await reads.all(_STATES, users=users)
    return {row.user_id: State(row.position, row.unread) for row in rows}


async def positions(reads: Reads, users: Sequence[UUID]) -> Sequence[tuple[UUID, int]]:
    """How far the streams of several users are; a user without a stream has none."""
    rows = await reads.all(_POSITIONS, users=users)
    return [(row.user_id, row.position) for row in rows]
