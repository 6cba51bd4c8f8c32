"""Queries on reminders, always scoped by the acting user; the worker's are in due.py."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Integer, bindparam, delete, exists, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.ids import new_id
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Statement
from grove_resource.models import Reminder, Task
from grove_resource.reminders.arming import before, marked
from grove_resource.reminders.errors import MOST, ReminderNotFound, TooManyReminders
from grove_resource.reminders.schemas import ReminderRead
from grove_resource.tasks.access import IS_VISIBLE, missing

_FIELDS = {
    "id": Reminder.id,
    "task_id": Reminder.task_id,
    "at": Reminder.at,
    "minutes_before_due": Reminder.minutes_before_due,
    "fires_at": Reminder.fires_at,
    "fired_at": Reminder.fired_at,
    "created_at": Reminder.created_at,
}
REMINDER_JSON = JsonRow(Reminder, ReminderRead, _FIELDS)

_OF_TASK = Task.id == bindparam("task_id")
_ACCESS = select(exists().where(_OF_TASK), exists().where(_OF_TASK, IS_VISIBLE))
_READ_ACCESS = Statement(_ACCESS)
_TIME = DateTime(timezone=True)


class ReminderQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def check_task(self, task_id: UUID) -> None:
        """Raises TaskNotFound or TaskOfAnotherUser."""
        row = await self._reads.first(_READ_ACCESS, task_id=task_id, user_id=self._user_id)
        if row is None or not row[1]:
            raise missing(is_there=row is not None and row[0])


class ReminderRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self._user_id = user_id

    async def add(self, task: Task, at: datetime | None, minutes_before_due: int | None) -> ReminderRead:
        """Set one for a locked task. Raises TooManyReminders."""
        minutes = literal(minutes_before_due, Integer)
        fires_at = literal(at, _TIME) if at is not None else before(literal(task.due_at, _TIME), minutes)
        mine = select(func.count()).where(Reminder.task_id == task.id, Reminder.user_id == self._user_id)
        row = select(
            literal(new_id()),
            literal(task.id),
            literal(self._user_id),
            literal(at, _TIME),
            minutes,
            fires_at,
            marked(fires_at),
            func.now(),
        ).where(mine.scalar_subquery() < MOST)
        columns = ["id", "task_id", "user_id", "at", "minutes_before_due", "fires_at", "fired_at", "created_at"]
        added = await self._session.execute(
            insert(Reminder).from_select(columns, row).returning(*_FIELDS.values()),
        )
        found = added.one_or_none()
        if found is None:
            raise TooManyReminders
        return ReminderRead(**found._mapping)  # noqa: SLF001 - the documented name of a row's columns

    async def remove(self, task_id: UUID, reminder_id: UUID) -> None:
        """Delete. Raises ReminderNotFound, TaskNotFound or TaskOfAnotherUser."""
        names = {"task_id": task_id, "user_id": self._user_id}
        visible = select(Task.id).where(_OF_TASK, IS_VISIBLE).exists()
        gone = delete(Reminder).where(
            Reminder.id == reminder_id,
            Reminder.task_id == bindparam("task_id"),
            Reminder.user_id == bindparam("user_id"),
            visible,
        )
        options = {"synchronize_session": False}
        deleted = await self._session.execute(gone.returning(Reminder.id), names, execution_options=options)
        if deleted.first() is not None:
            return
        is_there, is_visible = (await self._session.execute(_ACCESS, names)).one()
        if not is_visible:
            raise missing(is_there=is_there)
        raise ReminderNotFound
