"""Reminders that follow what happens to their task, as parts of the statement that changes it.

Time is the database's: it is the one clock that all workers share when they fire (firing.py).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, DateTime, Integer, case, func, insert, literal, null, or_, select, update

from grove.core.ids import new_id
from grove.postgres.base import Expression
from grove_resource.models import Reminder, Share, Task

_TIME = DateTime(timezone=True)
_FIRST_DAY: ColumnElement[datetime] = func.timestamptz("0001-01-01T00:00:00Z", type_=_TIME)
"""PostgreSQL knows earlier times, Python does not."""


def before(due_at: Expression, minutes: Expression) -> ColumnElement[Any]:
    """That many minutes before; NULL without a due date."""
    moment = due_at - func.make_interval(0, 0, 0, 0, 0, minutes)
    return case((due_at.is_not(None), func.greatest(moment, _FIRST_DAY, type_=_TIME)), else_=null())


def marked(fires_at: Expression) -> ColumnElement[Any]:
    """`fired_at` of a reminder that is set for `fires_at`: one whose time is over already does not fire."""
    return case((fires_at <= func.now(), func.now()), else_=null())


def added(task: Task, at: datetime) -> CTE:
    """Adds a reminder of the owner, at a time."""
    row = select(literal(new_id()), literal(task.id), literal(task.user_id), literal(at), literal(at), func.now())
    columns = ["id", "task_id", "user_id", "at", "fires_at", "created_at"]
    return insert(Reminder).from_select(columns, row).cte("reminder")


def moved(task: Task) -> CTE:
    """Moves the reminders of all who count from the due date to its new value.

    One whose new time is ahead is armed again, also when it had fired. One that was due and still waits for a worker
    keeps that; any other whose new time is over does not fire.
    """
    fires_at = before(literal(task.due_at, _TIME), Reminder.minutes_before_due)
    waits = Reminder.fired_at.is_(None) & (Reminder.fires_at <= func.now())
    fired_at = case(
        (fires_at > func.now(), null()),
        (or_(fires_at.is_(None), waits), Reminder.fired_at),
        else_=func.coalesce(Reminder.fired_at, func.now()),
    )
    return (
        update(Reminder)
        .where(Reminder.task_id == task.id, Reminder.minutes_before_due.is_not(None))
        .values(fires_at=fires_at, fired_at=fired_at)
        .cte("reminders_moved")
    )


def copied(task: Task, successor: Task) -> CTE:
    """Gives `successor` the reminders that count from the due date, of all who may see the task."""
    fires_at = before(literal(successor.due_at, _TIME), Reminder.minutes_before_due)
    rows = select(
        func.uuidv7(),
        literal(successor.id),
        Reminder.user_id,
        Reminder.minutes_before_due.cast(Integer),
        fires_at,
        marked(fires_at),
        func.now(),
    ).where(
        Reminder.task_id == task.id,
        Reminder.minutes_before_due.is_not(None),
        or_(
            Reminder.user_id == task.user_id,
            Reminder.user_id.in_(select(Share.user_id).where(Share.task_id == task.id)),
        ),
    )
    columns = ["id", "task_id", "user_id", "minutes_before_due", "fires_at", "fired_at", "created_at"]
    return insert(Reminder).from_select(columns, rows).cte("reminders_copied")
