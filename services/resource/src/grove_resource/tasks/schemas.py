"""Tasks as JSON."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator

from grove.core.schema import Incoming, Moment
from grove.core.text import CleanLine, CleanText
from grove_resource.tasks.access import HeldTask, Role
from grove_resource.tasks.recurrence_rule import MAX_LENGTH, parse


class Priority(StrEnum):
    """How much a task matters; in the order of the `priority` sort key."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """The stored number."""
        return _PRIORITIES.index(self)

    @classmethod
    def of_rank(cls, rank: int) -> "Priority":
        """The priority of a stored number."""
        return _PRIORITIES[rank]


_PRIORITIES = tuple(Priority)

Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    CleanLine,
    Field(examples=["Buy oat milk"]),
]
Description = Annotated[
    str, StringConstraints(max_length=1000), CleanText, Field(examples=["Two litres, the barista one"])
]


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


# Before the length is checked: lower case can be longer.
Tag = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), CleanLine, BeforeValidator(_lower)
]
Tags = Annotated[list[Tag], Field(max_length=20, examples=[["home"]])]
Recurrence = Annotated[
    str,
    StringConstraints(max_length=MAX_LENGTH),
    AfterValidator(lambda text: str(parse(text))),
    Field(
        description="When the task comes again after it is completed: an RRULE of RFC 5545, which needs `due_at`",
        examples=["FREQ=WEEKLY;BYDAY=MO,TH"],
    ),
]


def _once_each(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


class TaskCreate(Incoming):
    """A new task."""

    title: Title
    description: Description = ""
    completed: bool = False
    due_at: Moment | None = None
    priority: Priority = Priority.NONE
    tags: Tags = []
    parent_id: UUID | None = None
    recurrence: Recurrence | None = None
    remind_at: Annotated[Moment | None, Field(description="Remind me then; in the future")] = None

    _unique_tags = field_validator("tags")(_once_each)


class TaskReplace(Incoming):
    """All writable fields of a task."""

    title: Title
    description: Description
    completed: bool
    due_at: Moment | None
    priority: Priority
    tags: Tags
    parent_id: UUID | None
    recurrence: Recurrence | None

    _unique_tags = field_validator("tags")(_once_each)


class TaskPatch(Incoming):
    """The fields to change."""

    title: Title = ""
    description: Description = ""
    completed: bool = False
    due_at: Moment | None = None
    priority: Priority = Priority.NONE
    tags: Tags = []
    parent_id: UUID | None = None
    recurrence: Recurrence | None = None

    _unique_tags = field_validator("tags")(_once_each)


class Completion(Incoming):
    """Sets completion; without it the route toggles."""

    completed: bool | None = None


@dataclass(slots=True, kw_only=True)
class TaskRead:
    """A task."""

    id: UUID
    user_id: UUID
    title: str
    description: str
    completed: bool
    completed_at: Moment | None
    due_at: Moment | None
    priority: Priority
    tags: list[str]
    parent_id: UUID | None
    recurrence: str | None
    role: Role
    is_deleted: bool
    deleted_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, held: HeldTask) -> "TaskRead":
        """From a row that was changed; it is known to fit, and not validated a second time."""
        task = held.task
        return cls(
            id=task.id,
            user_id=task.user_id,
            title=task.title,
            description=task.description,
            completed=task.completed_at is not None,
            completed_at=task.completed_at,
            due_at=task.due_at,
            priority=Priority.of_rank(task.priority),
            tags=task.tags,
            parent_id=task.parent_id,
            recurrence=task.recurrence,
            role=held.role,
            is_deleted=task.deleted_at is not None,
            deleted_at=task.deleted_at,
            created_at=task.created_at,
            updated_at=task.updated_at,
        )


class TaskStatus(StrEnum):
    """Which tasks a list shows."""

    ALL = "all"
    PENDING = "pending"
    COMPLETED = "completed"
    DELETED = "deleted"
