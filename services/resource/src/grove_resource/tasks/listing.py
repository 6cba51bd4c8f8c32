"""The task list: its filters and orders."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, String, bindparam, func, literal_column

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.sorting import SortKey, parse_sort
from grove_resource.models import Task
from grove_resource.models.task import TITLE_KEY
from grove_resource.tasks.schemas import Priority, TaskStatus

_NEVER: ColumnElement[datetime] = literal_column("'9999-12-31T00:00:00Z'::timestamptz")

ORDERS = Keyset(
    {
        "created_at": Sortable(Task.created_at, parse_time),
        "updated_at": Sortable(Task.updated_at, parse_time),
        "due_at": Sortable(func.coalesce(Task.due_at, _NEVER), parse_time),
        "priority": Sortable(Task.priority, int),
        "title": Sortable(TITLE_KEY, str),
    },
    tie=Task.id,
)


FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": Task.user_id == bindparam("user_id"),
    "deleted": Task.deleted_at.is_not(None),
    "not_deleted": Task.deleted_at.is_(None),
    "pending": Task.completed_at.is_(None),
    "completed": Task.completed_at.is_not(None),
    "date_from": Task.created_at >= bindparam("date_from"),
    "date_to": Task.created_at < bindparam("date_to"),
    "due_after": Task.due_at >= bindparam("due_after"),
    "due_before": Task.due_at < bindparam("due_before"),
    "tag": Task.tags.contains(bindparam("tag", type_=Task.tags.type)),
    "priority": Task.priority == bindparam("priority"),
    "parent_id": Task.parent_id == bindparam("parent_id"),
    "q": Task.search.op("@@")(func.websearch_to_tsquery("simple", bindparam("q", type_=String))),
}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What a list is narrowed to: names of FILTERS with their values."""

    given: dict[str, Any]
    sort: tuple[SortKey, ...]


def _status(status: TaskStatus, *, include_deleted: bool) -> list[str]:
    if status is TaskStatus.DELETED:
        return ["deleted"]
    wanted = {TaskStatus.PENDING: ["pending"], TaskStatus.COMPLETED: ["completed"]}.get(status, [])
    return wanted if include_deleted else ["not_deleted", *wanted]


async def _task_filter(
    status: Annotated[TaskStatus, Query(description="Which tasks")] = TaskStatus.ALL,
    include_deleted: Annotated[bool, Query(description="Show deleted tasks among the others")] = False,
    date_from: Annotated[AwareDatetime | None, Query(description="Created at this time or later")] = None,
    date_to: Annotated[AwareDatetime | None, Query(description="Created before this time")] = None,
    due_after: Annotated[AwareDatetime | None, Query(description="Due at this time or later")] = None,
    due_before: Annotated[AwareDatetime | None, Query(description="Due before this time")] = None,
    tag: Annotated[str | None, Query(min_length=1, max_length=50, description="Has this tag")] = None,
    priority: Annotated[Priority | None, Query(description="Has this priority")] = None,
    parent_id: Annotated[UUID | None, Query(description="Subtasks of this task")] = None,
    q: Annotated[str | None, Query(min_length=1, max_length=200, description="Words in title or description")] = None,
    sort: Annotated[
        str, Query(max_length=100, description="created_at, updated_at, due_at, priority, title; `-` for descending")
    ] = "-created_at",
) -> TaskFilter:
    given: dict[str, Any] = dict.fromkeys(_status(status, include_deleted=include_deleted))
    asked = {
        "date_from": date_from,
        "date_to": date_to,
        "due_after": due_after,
        "due_before": due_before,
        "tag": [tag.lower()] if tag is not None else None,
        "priority": priority.rank if priority is not None else None,
        "parent_id": parent_id,
        "q": q,
    }
    given |= {name: value for name, value in asked.items() if value is not None}
    return TaskFilter(given, tuple(parse_sort(sort, ORDERS.names)))


Filter = Annotated[TaskFilter, Depends(_task_filter)]
