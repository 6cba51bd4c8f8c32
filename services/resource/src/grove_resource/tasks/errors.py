"""What can be wrong with a request about tasks."""

from grove.core.errors import Forbidden, Invalid, InvalidState, NotFound


class TaskNotFound(NotFound):
    """404."""

    message = "There is no task with this id."


class TaskOfAnotherUser(Forbidden):
    """403: the task exists and is somebody else's, who does not share it."""

    message = "This task belongs to another user."


class TaskReadOnly(Forbidden):
    """403: the task is shared for reading."""

    message = "This task is shared with you as a viewer. Ask its owner to make you an editor."


class TaskNotOwned(Forbidden):
    """403: only the owner may do this."""

    message = "Only the owner of this task may do this."


class TaskDeleted(InvalidState):
    """400: a deleted task can't be changed."""

    message = "This task is deleted. Restore it first."


class TaskNotDeleted(InvalidState):
    """400: only a deleted task can be restored."""

    message = "This task is not deleted."


class ParentDeleted(InvalidState):
    """400: a subtask comes back after its parent."""

    message = "The task above this one is deleted. Restore that first."


class RecurrenceRefused(Invalid):
    """422: the rule and the due date do not go together."""

    def __init__(self, message: str) -> None:
        detail = {"field": "body.recurrence", "message": message, "type": "value_error"}
        super().__init__(f"`recurrence` {message}.", details=[detail])


class ParentUnusable(Invalid):
    """422: the parent must be another of the user's own tasks, and not one below this task."""

    message = "`parent_id` must be another of your own tasks, not deleted and not below this one."
