"""Queries on tasks, always scoped by the acting user."""

from uuid import UUID

from sqlalchemy import bindparam, exists, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.json_rows import JsonRow, constant, one_of
from grove.postgres.reads import Reads, Statement
from grove_resource.models import Task
from grove_resource.tasks.errors import TaskNotFound, TaskOfAnotherUser
from grove_resource.tasks.schemas import Priority, TaskRead

TASK_JSON = JsonRow(
    Task,
    TaskRead,
    {
        "id": Task.id,
        "user_id": Task.user_id,
        "title": Task.title,
        "description": Task.description,
        "completed": Task.completed_at.is_not(None),
        "completed_at": Task.completed_at,
        "due_at": Task.due_at,
        "priority": one_of(Task.priority, [priority.value for priority in Priority]),
        "tags": Task.tags,
        "parent_id": Task.parent_id,
        "role": constant("owner"),
        "is_deleted": Task.deleted_at.is_not(None),
        "deleted_at": Task.deleted_at,
        "created_at": Task.created_at,
        "updated_at": Task.updated_at,
    },
)
MAX_NESTING = 32

_GET = Statement(
    TASK_JSON.select(Task.version).where(Task.id == bindparam("task_id"), Task.user_id == bindparam("user_id"))
)
_IS_THERE = select(exists().where(Task.id == bindparam("task_id")))
_READ_IS_THERE = Statement(_IS_THERE)


class TaskQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, task_id: UUID) -> tuple[str, int]:
        """One task's JSON, and its version. Raises TaskNotFound or TaskOfAnotherUser."""
        row = await self._reads.first(_GET, task_id=task_id, user_id=self._user_id)
        if row is None:
            raise _missing(is_there=await self._reads.scalar(_READ_IS_THERE, task_id=task_id))
        return row[0], row[1]


class TaskRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def locked(self, task_id: UUID) -> Task:
        """The task, locked until the transaction ends. Raises TaskNotFound or TaskOfAnotherUser."""
        task = await self._session.scalar(
            select(Task).where(Task.id == task_id, Task.user_id == self.user_id).with_for_update()
        )
        if task is None:
            raise _missing(is_there=await self._session.scalar(_IS_THERE, {"task_id": task_id}))
        return task

    async def add(self, task: Task) -> None:
        """Insert."""
        self._session.add(task)
        await self._session.flush()

    async def save(self, _: Task) -> None:
        """Write the changes of a locked task."""
        await self._session.flush()

    async def remove(self, task: Task) -> None:
        """Delete for good; its subtasks go with it."""
        await self._session.delete(task)
        await self._session.flush()

    async def can_be_parent(self, parent_id: UUID, child_id: UUID | None) -> bool:
        """Whether the user's task `parent_id` may have `child_id` below it: it must not itself be below the child."""
        above = (
            select(Task.id, Task.parent_id, Task.deleted_at, literal(0).label("level"))
            .where(Task.id == parent_id, Task.user_id == self.user_id)
            .cte("above", recursive=True)
        )
        above = above.union_all(
            select(Task.id, Task.parent_id, Task.deleted_at, above.c.level + 1).where(
                Task.id == above.c.parent_id, above.c.level < MAX_NESTING
            )
        )
        line = (await self._session.execute(select(above.c.id, above.c.deleted_at, above.c.level))).all()
        return (
            bool(line)
            and len(line) < MAX_NESTING
            and line[0].deleted_at is None
            and all(row.id != child_id for row in line)
        )


def _missing(*, is_there: bool | None) -> TaskNotFound | TaskOfAnotherUser:
    """Why a user's task was not found: it is not there (404), or it is somebody else's (403)."""
    return TaskOfAnotherUser() if is_there else TaskNotFound()
