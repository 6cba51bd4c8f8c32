"""When a task changes: later each time, whatever clock the replica has, so that times rise with versions.

Feeds sort what was told of a task by these moments.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, literal

from grove.core.clock import now
from grove_resource.models import Task

_STEP = timedelta(microseconds=1)


def moment_of_change(task: Task) -> datetime:
    """Now, but after the last change of the task, which is locked."""
    return max(now(), task.updated_at + _STEP)


def touch(task: Task) -> None:
    """A locked task changes: its next version."""
    task.version += 1
    task.updated_at = moment_of_change(task)


def moment_of_each(moment: datetime) -> ColumnElement[datetime]:
    """That moment, but after the last change of each task that a statement changes."""
    return func.greatest(literal(moment), Task.updated_at + _STEP)
