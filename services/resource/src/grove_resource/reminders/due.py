"""The worker's queries: reminders of all users whose time has come, by the database's clock."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, case, extract, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.reads import Reads, Statement
from grove_resource.models import Reminder, Share, Task

_WAITS = and_(Reminder.fired_at.is_(None), Reminder.fires_at.is_not(None))
_NEXT = Statement(
    select(extract("epoch", func.min(Reminder.fires_at) - func.clock_timestamp()).label("seconds")).where(_WAITS)
)


@dataclass(frozen=True, slots=True)
class Fired:
    """A reminder that fired. `number`: how often it did, this time included."""

    reminder_id: UUID
    task_id: UUID
    user_id: UUID
    title: str
    due_at: datetime | None
    fired_at: datetime
    number: int


async def seconds_to_next(reads: Reads) -> float | None:
    """Until the next reminder's time, negative when that is over; None when no reminder waits. Reads an index only."""
    seconds = await reads.scalar(_NEXT)
    return None if seconds is None else float(seconds)


async def claim(session: AsyncSession, limit: int) -> tuple[int, list[Fired]]:
    """Mark up to `limit` reminders whose time has come, passing over what another worker holds.

    Gives how many they were, and those that fire: a task that is completed or deleted reminds nobody, and nobody is
    reminded of a task that they may no longer see.
    """
    with_access = or_(
        Task.user_id == Reminder.user_id,
        select(Share.id).where(Share.task_id == Task.id, Share.user_id == Reminder.user_id).exists(),
    )
    due = (
        select(
            Reminder.id,
            Task.title,
            Task.due_at,
            and_(Task.completed_at.is_(None), Task.deleted_at.is_(None), with_access).label("fires"),
        )
        .join(Task, Task.id == Reminder.task_id)
        .where(_WAITS, Reminder.fires_at <= func.now())
        .order_by(Reminder.fires_at)
        .limit(limit)
        .with_for_update(of=Reminder, skip_locked=True)
        .cte("due")
    )
    marked = (
        update(Reminder)
        .where(Reminder.id == due.c.id)
        .values(fired_at=func.now(), fired=Reminder.fired + case((due.c.fires, 1), else_=0))
        .returning(
            due.c.fires,
            Reminder.id,
            Reminder.task_id,
            Reminder.user_id,
            due.c.title,
            due.c.due_at,
            Reminder.fired_at,
            Reminder.fired,
        )
    )
    rows = (await session.execute(marked, execution_options={"synchronize_session": False})).all()
    return len(rows), [Fired(*row[1:]) for row in rows if row.fires]
