"""The next one of a recurring task: a copy, due at the next occurrence."""

import asyncio
from datetime import datetime
from typing import cast

from sqlalchemy import CTE, Table, func, insert, literal, select

from grove.core.ids import new_id
from grove_resource.models import Share, Task
from grove_resource.reminders import arming
from grove_resource.tasks import recurrence
from grove_resource.tasks.errors import RecurrenceRefused
from grove_resource.tasks.locks import STORED
from grove_resource.tasks.recurrence_rule import RuleRefused, parse

_TABLE = cast("Table", Task.__table__)


async def check(rule: str | None, due_at: datetime | None) -> None:
    """Raises RecurrenceRefused when a task can't have both."""
    if rule is None:
        return
    if due_at is None:
        raise RecurrenceRefused("needs `due_at`")
    try:
        await asyncio.to_thread(recurrence.check, parse(rule), due_at)  # tens of milliseconds for a hostile rule
    except RuleRefused as refused:
        raise RecurrenceRefused(str(refused)) from None


async def successor(task: Task, timezone: str | None) -> Task | None:
    """What follows `task`, completed just now; None when it does not recur, was repeated before, or was the last."""
    if task.recurrence is None or task.due_at is None or task.repeated_at is not None or task.completed_at is None:
        return None
    where = recurrence.zone(timezone)
    following = await asyncio.to_thread(
        recurrence.following, parse(task.recurrence), task.due_at, task.completed_at, where
    )
    if following is None:
        return None
    return Task(
        id=new_id(),
        user_id=task.user_id,
        parent_id=task.parent_id,
        title=task.title,
        description=task.description,
        completed_at=None,
        due_at=following.due_at,
        priority=task.priority,
        tags=task.tags,
        recurrence=str(following.rule),
        repeated_at=None,
        deleted_at=None,
        created_at=task.completed_at,
        updated_at=task.completed_at,
        version=1,
    )


def copied(task: Task, successor: Task) -> list[CTE]:
    """Inserts the successor, whom `task` is shared with, and their reminders that count from the due date."""
    columns = [_TABLE.c[name] for name in STORED]
    row = select(*(literal(getattr(successor, column.key), column.type) for column in columns))
    moment = literal(successor.created_at)
    shares = select(
        func.uuidv7(), literal(successor.id), Share.email, Share.user_id, Share.role, literal(1), moment, moment
    ).where(Share.task_id == task.id)
    shared = ["id", "task_id", "email", "user_id", "role", "version", "created_at", "updated_at"]
    return [
        insert(Task).from_select(list(STORED), row).cte("successor"),
        insert(Share).from_select(shared, shares).cte("successor_shares"),
        arming.copied(task, successor),
    ]
