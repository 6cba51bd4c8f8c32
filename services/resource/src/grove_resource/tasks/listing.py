"""The task list: its filters and orders."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, func, literal_column

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


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What a list is narrowed to."""

    conditions: tuple[ColumnElement[bool], ...]
    sort: tuple[SortKey, ...]


def _status_conditions(status: TaskStatus, *, include_deleted: bool) -> list[ColumnElement[bool]]:
    if status is TaskStatus.DELETED:
        return [Task.deleted_at.is_not(None)]
    conditions: list[ColumnElement[bool]] = [] if include_deleted else [Task.deleted_at.is_(None)]
    if status is TaskStatus.PENDING:
        conditions.append(Task.completed_at.is_(None))
    elif status is TaskStatus.COMPLETED:
        conditions.append(Task.completed_at.is_not(None))
    return conditions


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
        str,
        Query(max_length=100, description="created_at, updated_at, due_at, priority, title; `-` for descending"),
    ] = "-created_at",
) -> TaskFilter:
    conditions = _status_conditions(status, include_deleted=include_deleted)
    conditions += _time_conditions(date_from, date_to, due_after, due_before)
    if tag is not None:
        conditions.append(Task.tags.contains([tag.lower()]))
    if priority is not None:
        conditions.append(Task.priority == priority.rank)
    if parent_id is not None:
        conditions.append(Task.parent_id == parent_id)
    if q is not None:
        conditions.append(Task.search.op("@@")(func.websearch_to_tsquery("simple", q)))
    return TaskFilter(tuple(conditions), tuple(parse_sort(sort, ORDERS.names)))


def _time_conditions(
    date_from: datetime | None,
    date_to: datetime | None,
    due_after: datetime | None,
    due_before: datetime | None,
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if date_from is not None:
        conditions.append(Task.created_at >= date_from)
    if date_to is not None:
        conditions.append(Task.created_at < date_to)
    if due_after is not None:
        conditions.append(Task.due_at >= due_after)
    if due_before is not None:
        conditions.append(Task.due_at < due_before)
    return conditions


Filter = Annotated[TaskFilter, Depends(_task_filter)]
