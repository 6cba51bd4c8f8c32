"""A user's reminders for a task: the list's filters and orders."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam, func, literal_column, select

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_resource.models import Reminder, Task
from grove_resource.tasks.access import IS_VISIBLE

_NEVER: ColumnElement[datetime] = literal_column("'9999-12-31T00:00:00Z'::timestamptz")

ORDERS = Keyset(
    {
        "created_at": Sortable(Reminder.created_at, parse_time),
        "fires_at": Sortable(func.coalesce(Reminder.fires_at, _NEVER), parse_time),
    },
    tie=Reminder.id,
)

FILTERS: dict[str, ColumnElement[bool]] = {
    "task_id": Reminder.task_id == bindparam("task_id"),
    "user_id": Reminder.user_id == bindparam("user_id"),
    "visible": select(Task.id).where(Task.id == bindparam("task_id"), IS_VISIBLE).exists(),
}


class ReminderQuery(ListQuery):
    """What the list of reminders can be asked for."""

    sort: Annotated[str, Field(max_length=100, description="created_at, fires_at; `-` for descending")] = "-created_at"
