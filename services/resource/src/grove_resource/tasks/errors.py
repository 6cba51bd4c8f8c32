"""What can be wrong with a request about tasks."""

from grove.core.errors import Forbidden, Invalid, InvalidState, NotFound


class TaskNotFound(NotFound):
    """404."""

    message = "There is no task with this id."


class TaskOfAnotherUser(Forbidden):
    """403: the task exists and is somebody else's."""

    message = "This task belongs to another user."


class TaskDeleted(InvalidState):
    """400: a deleted task can't be changed."""

    message = "This task is deleted. Restore it first."


class TaskNotDeleted(InvalidState):
    """400: only a deleted task can be restored."""

    message = "This task is not deleted."


class ParentUnusable(Invalid):
    """422: the parent must be another of the user's own tasks, and not one below this task."""

    message = "`parent_id` must be another of your own tasks, not deleted and not below this one."
