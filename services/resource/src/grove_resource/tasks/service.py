"""The rules of tasks."""

from uuid import UUID

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.web.etag import Conditions, etag
from grove_resource.models import Task
from grove_resource.tasks import events
from grove_resource.tasks.errors import ParentUnusable, TaskDeleted, TaskNotDeleted
from grove_resource.tasks.repository import TaskRepository
from grove_resource.tasks.schemas import Priority, TaskCreate, TaskPatch, TaskReplace


class TaskService:
    """Changes tasks of the acting user; each change raises the version and tells the outbox. Never commits."""

    def __init__(self, tasks: TaskRepository, outbox: Outbox) -> None:
        self._tasks = tasks
        self._outbox = outbox

    async def create(self, data: TaskCreate) -> Task:
        """A new task. Raises ParentUnusable."""
        await self._check_parent(data.parent_id, None)
        moment = now()
        task = Task(
            id=new_id(),
            user_id=self._tasks.user_id,
            parent_id=data.parent_id,
            title=data.title,
            description=data.description,
            completed_at=moment if data.completed else None,
            due_at=data.due_at,
            priority=data.priority.rank,
            tags=data.tags,
            deleted_at=None,
            created_at=moment,
            updated_at=moment,
            version=1,
        )
        await self._tasks.add(task)
        await self._outbox.add((events.created(task), task.version))
        return task

    async def change(self, task_id: UUID, data: TaskReplace | TaskPatch, conditions: Conditions) -> Task:
        """Set the fields that were sent. Nothing changes, and nothing is told, when they already are so."""
        task = await self._tasks.locked(task_id)
        conditions.require(etag(task.id, task.version))
        _must_live(task)
        if "parent_id" in data.model_fields_set and data.parent_id != task.parent_id:
            await self._check_parent(data.parent_id, task.id)
        was_completed = task.completed_at is not None
        changed = _apply(task, data)
        facts: list[tuple[EventData, int]] = []
        if changed:
            self._touch(task)
            facts.append((events.updated(task, changed), task.version))
        if "completed" in data.model_fields_set and data.completed != was_completed:
            self._set_completed(task, completed=data.completed)
            facts.append((events.completion(task), task.version))
        if facts:
            await self._tasks.save(task)
            await self._outbox.add(*facts)
        return task

    async def complete(self, task_id: UUID, completed: bool | None, conditions: Conditions) -> Task:
        """Set completion, or toggle it when `completed` is None."""
        task = await self._tasks.locked(task_id)
        conditions.require(etag(task.id, task.version))
        _must_live(task)
        was_completed = task.completed_at is not None
        wanted = not was_completed if completed is None else completed
        if wanted != was_completed:
            self._set_completed(task, completed=wanted)
            await self._tasks.save(task)
            await self._outbox.add((events.completion(task), task.version))
        return task

    async def delete(self, task_id: UUID, conditions: Conditions, *, permanent: bool) -> None:
        """Mark as deleted, or remove for good. Deleting what is deleted changes nothing."""
        task = await self._tasks.locked(task_id)
        conditions.require(etag(task.id, task.version))
        if task.deleted_at is not None and not permanent:
            return
        self._touch(task)
        fact = (events.deleted(task, permanent=permanent), task.version)
        if permanent:
            await self._tasks.remove(task)
        else:
            task.deleted_at = task.updated_at
            await self._tasks.save(task)
        await self._outbox.add(fact)

    async def restore(self, task_id: UUID, conditions: Conditions) -> Task:
        """Bring a deleted task back. Raises TaskNotDeleted."""
        task = await self._tasks.locked(task_id)
        conditions.require(etag(task.id, task.version))
        if task.deleted_at is None:
            raise TaskNotDeleted
        task.deleted_at = None
        self._touch(task)
        await self._tasks.save(task)
        await self._outbox.add((events.restored(task), task.version))
        return task

    async def _check_parent(self, parent_id: UUID | None, task_id: UUID | None) -> None:
        if parent_id is not None and not await self._tasks.can_be_parent(parent_id, task_id):
            raise ParentUnusable

    def _set_completed(self, task: Task, *, completed: bool) -> None:
        self._touch(task)
        task.completed_at = task.updated_at if completed else None

    def _touch(self, task: Task) -> None:
        task.version += 1
        task.updated_at = now()


def _must_live(task: Task) -> None:
    if task.deleted_at is not None:
        raise TaskDeleted


def _apply(task: Task, data: TaskReplace | TaskPatch) -> list[str]:
    """Set the sent fields on the task; the names of those that changed, without completion."""
    changed = []
    for field in sorted(data.model_fields_set - {"completed"}):
        value = getattr(data, field)
        if isinstance(value, Priority):
            value = value.rank
        if getattr(task, field) != value:
            setattr(task, field, value)
            changed.append(field)
    return changed
