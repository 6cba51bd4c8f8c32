"""The task list: its filters and orders."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, String, and_, bindparam, func

from grove.core.schema import Moment
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.service.pages import Either
from grove.web.pagination import ListQuery
from grove_resource.models import Task
from grove_resource.models.task import DUE_KEY, TITLE_KEY
from grove_resource.tasks.access import ANYTHING_SHARED_WITH_ME, IS_MINE, IS_SHARED_WITH_ME
from grove_resource.tasks.schemas import Priority, Tag, TaskStatus

ORDERS = Keyset(
    {
        "created_at": Sortable(Task.created_at, parse_time),
        "updated_at": Sortable(Task.updated_at, parse_time),
        "due_at": Sortable(DUE_KEY, parse_time),
        "priority": Sortable(Task.priority, int),
        "title": Sortable(TITLE_KEY, str),
    },
    tie=Task.id,
)


FILTERS: dict[str, ColumnElement[bool]] = {
    "mine": IS_MINE,
    "with_me": IS_SHARED_WITH_ME,
    "deleted": Task.deleted_at.is_not(None),
    "not_deleted": Task.deleted_at.is_(None),
    "pending": Task.completed_at.is_(None),
    "completed": Task.completed_at.is_not(None),
    "date_from": Task.created_at >= bindparam("date_from"),
    "date_to": Task.created_at < bindparam("date_to"),
    "due_after": and_(Task.due_at.is_not(None), bindparam("due_after", type_=Task.due_at.type) <= DUE_KEY),
    "due_before": and_(Task.due_at.is_not(None), bindparam("due_before", type_=Task.due_at.type) > DUE_KEY),
    "tag": Task.tags.contains(bindparam("tag", type_=Task.tags.type)),
    "priority": Task.priority == bindparam("priority"),
    "parent_id": Task.parent_id == bindparam("parent_id"),
    "q": Task.search.op("@@")(func.websearch_to_tsquery("simple", bindparam("q", type_=String))),
}

EITHER = Either("mine", "with_me", second_exists=ANYTHING_SHARED_WITH_ME)


class Shared(StrEnum):
    """Whose tasks a list shows."""

    MINE = "mine"
    WITH_ME = "with_me"


class TaskFilter(ListQuery):
    """What the task list can be asked for."""

    status: Annotated[TaskStatus, Field(description="Which tasks")] = TaskStatus.ALL
    include_deleted: Annotated[bool, Field(description="Show deleted tasks among the others")] = False
    date_from: Annotated[Moment | None, Field(description="Created at this time or later")] = None
    date_to: Annotated[Moment | None, Field(description="Created before this time")] = None
    due_after: Annotated[Moment | None, Field(description="Due at this time or later")] = None
    due_before: Annotated[Moment | None, Field(description="Due before this time")] = None
    tag: Annotated[Tag | None, Field(description="Has this tag")] = None
    priority: Annotated[Priority | None, Field(description="Has this priority")] = None
    shared: Annotated[Shared | None, Field(description="Only your own, or only what others share with you")] = None
    parent_id: Annotated[UUID | None, Field(description="Subtasks of this task")] = None
    q: Annotated[str | None, Field(min_length=1, max_length=200, description="Words in title or description")] = None
    sort: Annotated[
        str, Field(max_length=100, description="created_at, updated_at, due_at, priority, title; `-` for descending")
    ] = "-created_at"

    @property
    def given(self) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values."""
        values = {
            "date_from": self.date_from,
            "date_to": self.date_to,
            "due_after": self.due_after,
            "due_before": self.due_before,
            "tag": [self.tag] if self.tag is not None else None,
            "priority": self.priority.rank if self.priority is not None else None,
            "parent_id": self.parent_id,
            "q": self.q,
        }
        names = [*self._states(), *([self.shared.value] if self.shared else Shared)]
        return dict.fromkeys(names) | {name: value for name, value in values.items() if value is not None}

    def _states(self) -> list[str]:
        if self.status is TaskStatus.DELETED:
            return ["deleted"]
        wanted = {TaskStatus.PENDING: ["pending"], TaskStatus.COMPLETED: ["completed"]}.get(self.status, [])
        return wanted if self.include_deleted else ["not_deleted", *wanted]
