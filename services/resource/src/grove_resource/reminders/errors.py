"""What can be wrong with a request about reminders."""

from grove.core.errors import Invalid, NotFound

MOST = 20
"""Reminders of one user for one task."""


class ReminderNotFound(NotFound):
    """404."""

    message = "You have no reminder with this id for this task."


class ReminderTooLate(Invalid):
    """422: the time is over."""

    def __init__(self, field: str) -> None:
        detail = {"field": f"body.{field}", "message": "must be in the future", "type": "value_error"}
        super().__init__(f"`{field}` must be in the future.", details=[detail])


class TooManyReminders(Invalid):
    """422."""

    message = f"You can have {MOST} reminders for a task. Delete one first."
