"""The rules of reminders."""

from uuid import UUID

from grove_resource.reminders.repository import ReminderRepository
from grove_resource.reminders.rules import must_be_ahead
from grove_resource.reminders.schemas import ReminderCreate, ReminderRead
from grove_resource.tasks.errors import TaskDeleted
from grove_resource.tasks.repository import TaskRepository


class ReminderService:
    """Sets reminders for the acting user, who may only be a viewer of the task. Never commits."""

    def __init__(self, reminders: ReminderRepository, tasks: TaskRepository) -> None:
        self._reminders = reminders
        self._tasks = tasks

    async def add(self, task_id: UUID, data: ReminderCreate) -> ReminderRead:
        """Set one. The task is locked: its due date stays meanwhile, and two requests can't both take the last place.

        Raises TaskNotFound, TaskOfAnotherUser, TaskDeleted, ReminderTooLate, TooManyReminders.
        """
        must_be_ahead(data.at, "at")
        held = await self._tasks.locked(task_id)
        if held.task.deleted_at is not None:
            raise TaskDeleted
        return await self._reminders.add(held.task, data.at, data.minutes_before_due)

    async def remove(self, task_id: UUID, reminder_id: UUID) -> None:
        """Delete one. Raises TaskNotFound, TaskOfAnotherUser, ReminderNotFound."""
        await self._reminders.remove(task_id, reminder_id)
