"""Queries on tasks, always scoped by the acting user."""

from uuid import UUID

from sqlalchemy import bindparam, exists, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.base import AnyRow
from grove.postgres.reads import Reads
from grove_resource.models import Task
from grove_resource.tasks.errors import TaskNotFound, TaskOfAnotherUser

READ_COLUMNS = (
    Task.id,
    Task.user_id,
    Task.title,
    Task.description,
    Task.completed_at,
    Task.due_at,
    Task.priority,
    Task.tags,
    Task.parent_id,
    Task.deleted_at,
    Task.created_at,
    Task.updated_at,
    Task.version,
)
MAX_NESTING = 32

_GET = select(*READ_COLUMNS).where(Task.id == bindparam("task_id"), Task.user_id == bindparam("owner_id"))


async def missing(store: Reads | AsyncSession, task_id: UUID) -> TaskNotFound | TaskOfAnotherUser:
    """Why a user's task was not found: it is not there (404), or it is somebody else's (403)."""
    found = await store.scalar(select(exists().where(Task.id == task_id)))
    return TaskOfAnotherUser() if found else TaskNotFound()


class TaskQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def get(self, task_id: UUID) -> AnyRow:
        """One task. Raises TaskNotFound or TaskOfAnotherUser."""
        row = await self._reads.first(_GET, {"task_id": task_id, "owner_id": self._user_id})
        if row is None:
            raise await missing(self._reads, task_id)
        return row


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
            raise await missing(self._session, task_id)
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
