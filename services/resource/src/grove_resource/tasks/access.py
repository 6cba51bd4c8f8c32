"""Who may do what with a task: its owner, and whom it is shared with."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, String, TableValuedAlias, Uuid, bindparam, case, column, exists, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from grove.postgres.base import Expression
from grove.postgres.json_rows import constant
from grove_resource.models import Share, Task
from grove_resource.tasks.errors import TaskNotFound, TaskNotOwned, TaskOfAnotherUser, TaskReadOnly


class Role(StrEnum):
    """What the acting user is to a task. Editors change its fields; its owner also shares, deletes and restores it."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


@dataclass(slots=True)
class HeldTask:
    """A task as the acting user has it."""

    task: Task
    role: Role
    participants: list[UUID]
    """Users whom it is shared with."""
    timezone: str | None = None
    """The owner's; known when the task was locked."""
    waiting: list[str] = field(default_factory=list)
    """Addresses it is shared with that were nobody's when it was locked."""
    successor: Task | None = None
    """What completing it made, when it recurs."""

    def must_be_editable(self) -> None:
        """Raises TaskReadOnly."""
        if self.role is Role.VIEWER:
            raise TaskReadOnly

    def must_be_owned(self) -> None:
        """Raises TaskNotOwned."""
        if self.role is not Role.OWNER:
            raise TaskNotOwned


_USER: ColumnElement[UUID] = bindparam("user_id", type_=Uuid)

IS_MINE: ColumnElement[bool] = Task.user_id == _USER
IS_SHARED_WITH_ME: ColumnElement[bool] = Task.id.in_(select(Share.task_id).where(Share.user_id == _USER))
ANYTHING_SHARED_WITH_ME: ColumnElement[bool] = exists(select(Share.id).where(Share.user_id == _USER))
IS_VISIBLE: ColumnElement[bool] = or_(
    IS_MINE, exists(select(Share.id).where(Share.task_id == Task.id, Share.user_id == _USER).correlate(Task))
)
ROLE: ColumnElement[str] = case(
    (IS_MINE, constant(Role.OWNER)),
    else_=select(Share.role)
    .where(Share.task_id == Task.id, Share.user_id == _USER)
    .correlate_except(Share)
    .scalar_subquery(),
)
"""The acting user's role; `user_id` is bound when the statement runs."""

PARTICIPANTS: ColumnElement[list[UUID]] = func.array(
    select(Share.user_id)
    .where(Share.task_id == Task.id, Share.user_id.is_not(None))
    .order_by(Share.user_id)
    .correlate_except(Share)
    .scalar_subquery(),
    type_=ARRAY(Uuid),
)


def access_now(task_id: Expression) -> TableValuedAlias:
    """What a task is to the acting user and others at the moment at which its row is locked, not before.

    A statement that waits for a row goes on with the newest row, but sees all else as it was when the statement
    began: a share that was ended meanwhile would still count. The function (migration 0007) looks anew for each row.
    Join it with a subquery that locks: `FOR UPDATE` beside it would lock behind the look.
    """
    columns = (
        column("role", String),
        column("participants", ARRAY(Uuid)),
        column("timezone", String),
        column("waiting", ARRAY(String)),
    )
    return func.task_access(task_id, _USER).table_valued(*columns, name="access")


def missing(*, is_there: bool | None) -> TaskNotFound | TaskOfAnotherUser:
    """Why a user's task was not found: it is not there (404), or it is somebody else's (403)."""
    return TaskOfAnotherUser() if is_there else TaskNotFound()
