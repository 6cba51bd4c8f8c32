"""Task → contract event."""

from grove.contracts import resource
from grove_resource.models import Task


def created(task: Task) -> resource.TaskCreated:
    """A task was created."""
    return resource.TaskCreated(task_id=task.id, user_id=task.user_id, title=task.title, created_at=task.created_at)


def updated(task: Task, changed: list[str]) -> resource.TaskUpdated:
    """Fields changed."""
    return resource.TaskUpdated(
        task_id=task.id, user_id=task.user_id, title=task.title, changed=changed, updated_at=task.updated_at
    )


def completion(task: Task) -> resource.TaskCompleted | resource.TaskReopened:
    """A task was completed, or is pending again."""
    if task.completed_at is not None:
        return resource.TaskCompleted(
            task_id=task.id, user_id=task.user_id, title=task.title, completed_at=task.completed_at
        )
    return resource.TaskReopened(task_id=task.id, user_id=task.user_id, title=task.title, reopened_at=task.updated_at)


def deleted(task: Task, *, permanent: bool) -> resource.TaskDeleted:
    """A task was deleted."""
    return resource.TaskDeleted(
        task_id=task.id,
        user_id=task.user_id,
        title=task.title,
        permanent=permanent,
        deleted_at=task.updated_at,
    )


def restored(task: Task) -> resource.TaskRestored:
    """A deleted task is back."""
    return resource.TaskRestored(task_id=task.id, user_id=task.user_id, title=task.title, restored_at=task.updated_at)
