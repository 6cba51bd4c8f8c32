"""Reminder → contract event."""

from grove.contracts.resource import TaskReminderDue
from grove_resource.reminders.due import Fired


def due(fired: Fired) -> TaskReminderDue:
    """A reminder's time has come."""
    return TaskReminderDue(
        reminder_id=fired.reminder_id,
        task_id=fired.task_id,
        user_id=fired.user_id,
        title=fired.title,
        due_at=fired.due_at,
        fired_at=fired.fired_at,
    )
