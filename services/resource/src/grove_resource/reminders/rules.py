"""The rules of reminders that the creation of a task shares."""

from datetime import datetime

from grove.core.clock import now
from grove_resource.reminders.errors import ReminderTooLate


def must_be_ahead(moment: datetime | None, field: str) -> None:
    """Raises ReminderTooLate for a time that is not in the future."""
    if moment is not None and moment <= now():
        raise ReminderTooLate(field)
