"""The rules of tasks."""

from uuid import UUID

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.web.etag import Conditions
from grove_resource.models import Task
from grove_resource.reminders.rules import must_be_ahead
from grove_resource.tasks import events
from grove_resource.tasks import successor as recurring
from grove_resource.tasks.access import HeldTask, Role
from grove_resource.tasks.errors import ParentDeleted, ParentUnusable, TaskDeleted, TaskNotDeleted
from grove_resource.tasks.repository import TaskRepository
from grove_resource.tasks.schemas import Priority, TaskCreate, TaskPatch, TaskReplace
from grove_resource.tasks.times import moment_of_change, touch
from grove_resource.tasks.versions import require


class TaskService:
    """Changes tasks for the acting user; each change raises the version and tells the outbox. Never commits."""

    def __init__(self, tasks: TaskRepository, outbox: Outbox) -> None:
        self._tasks = tasks
        self._outbox = outbox

    async def create(self, data: TaskCreate) -> HeldTask:
        """A new task. Raises ParentUnusable, RecurrenceRefused, ReminderTooLate."""
        if data.parent_id is not None:
            await self._tasks.turn()
        await self._check_parent(data.parent_id, None)
        await recurring.check(data.recurrence, data.due_at)
        must_be_ahead(data.remind_at, "remind_at")
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
            recurrence=data.recurrence,
            repeated_at=None,
            deleted_at=None,
            created_at=moment,
            updated_at=moment,
            version=1,
        )
        held = HeldTask(task, Role.OWNER, [])
        await self._tasks.add(task, remind_at=data.remind_at)
        await self._outbox.add((events.created(held), task.version))
        return held

    async def change(self, task_id: UUID, data: TaskReplace | TaskPatch, conditions: Conditions) -> HeldTask:
        """Set the fields that were sent. Nothing changes, and nothing is told, when they already are so.

        Raises TaskReadOnly, TaskDeleted, ParentUnusable, RecurrenceRefused.
        """
        if "parent_id" in data.model_fields_set and data.parent_id is not None:
            await self._tasks.turn()
        held = await self._editable(task_id, conditions)
        task = held.task
        if "parent_id" in data.model_fields_set and data.parent_id != task.parent_id:
            held.must_be_owned()
            await self._check_parent(data.parent_id, task.id)
        was_completed = task.completed_at is not None
        changed = _apply(task, data)
        if not {"recurrence", "due_at"}.isdisjoint(changed):
            await recurring.check(task.recurrence, task.due_at)
        facts: list[tuple[EventData, int]] = []
        if changed:
            touch(task)
            facts.append((events.updated(held, changed), task.version))
        if "completed" in data.model_fields_set and data.completed != was_completed:
            facts += await self._set_completed(held, completed=data.completed)
        if facts:
            await self._tasks.save(
                task,
                tags_changed="tags" in changed,
                due_changed="due_at" in changed,
                successor=held.successor,
            )
            await self._outbox.add(*facts)
        return held

    async def complete(self, task_id: UUID, completed: bool | None, conditions: Conditions) -> HeldTask:
        """Set completion, or toggle it when `completed` is None. Raises TaskReadOnly, TaskDeleted."""
        held = await self._editable(task_id, conditions)
        was_completed = held.task.completed_at is not None
        wanted = not was_completed if completed is None else completed
        if wanted != was_completed:
            facts = await self._set_completed(held, completed=wanted)
            await self._tasks.save(held.task, successor=held.successor)
            await self._outbox.add(*facts)
        return held

    async def delete(self, task_id: UUID, conditions: Conditions, *, permanent: bool) -> None:
        """Mark the task and its subtasks as deleted, or remove them for good. Deleting what is deleted changes nothing.

        Raises TaskNotOwned.
        """
        if permanent:
            await self._tasks.turn()
        held = await self._owned(task_id, conditions, all_of_it=permanent)
        if permanent:
            gone = await self._tasks.remove_tree(held.task)
            for each in gone:
                touch(each.task)
        elif held.task.deleted_at is not None:
            return
        else:
            gone = await self._tasks.delete_tree(held.task, moment_of_change(held.task))
        await self._outbox.add(*((events.deleted(each, permanent=permanent), each.task.version) for each in gone))

    async def restore(self, task_id: UUID, conditions: Conditions) -> HeldTask:
        """Bring a deleted task back, and what was deleted with it.

        Raises TaskNotOwned, TaskNotDeleted, ParentDeleted.
        """
        held = await self._owned(task_id, conditions)
        if held.task.deleted_at is None:
            raise TaskNotDeleted
        if held.task.parent_id is not None and await self._tasks.is_deleted(held.task.parent_id):
            raise ParentDeleted
        restored = await self._tasks.restore_tree(held.task, moment_of_change(held.task))
        await self._outbox.add(*((events.restored(each), each.task.version) for each in restored))
        return restored[0]

    async def _editable(self, task_id: UUID, conditions: Conditions) -> HeldTask:
        held = await self._tasks.locked(task_id)
        held.must_be_editable()
        require(conditions, held)
        if held.task.deleted_at is not None:
            raise TaskDeleted
        return held

    async def _owned(self, task_id: UUID, conditions: Conditions, *, all_of_it: bool = False) -> HeldTask:
        held = await (self._tasks.tree_locked(task_id) if all_of_it else self._tasks.locked(task_id, tree=True))
        held.must_be_owned()
        require(conditions, held)
        return held

    async def _set_completed(self, held: HeldTask, *, completed: bool) -> list[tuple[EventData, int]]:
        """Complete or reopen; a recurring task that is completed for the first time gets its successor."""
        task = held.task
        touch(task)
        task.completed_at = task.updated_at if completed else None
        if completed:
            held.successor = await recurring.successor(task, held.timezone)
        if held.successor is not None:
            await self._tasks.hold_waiting([held])
        facts: list[tuple[EventData, int]] = [(events.completion(held), task.version)]
        if held.successor is not None:
            task.repeated_at = task.completed_at
            made = HeldTask(held.successor, held.role, held.participants)
            facts.append((events.created(made), made.task.version))
        return facts

    async def _check_parent(self, parent_id: UUID | None, task_id: UUID | None) -> None:
        if parent_id is not None and not await self._tasks.can_be_parent(parent_id, task_id):
            raise ParentUnusable


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
