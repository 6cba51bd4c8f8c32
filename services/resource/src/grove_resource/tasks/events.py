"""Task → contract event."""

from typing import Any

from grove.contracts import resource
from grove_resource.tasks.access import HeldTask


def created(held: HeldTask) -> resource.TaskCreated:
    """A task was created."""
    return resource.TaskCreated(**_of(held), created_at=held.task.created_at)


def updated(held: HeldTask, changed: list[str]) -> resource.TaskUpdated:
    """Fields changed."""
    return resource.TaskUpdated(**_of(held), changed=changed, updated_at=held.task.updated_at)


def completion(held: HeldTask) -> resource.TaskCompleted | resource.TaskReopened:
    """A task was completed, or is pending again."""
    if held.task.completed_at is not None:
        return resource.TaskCompleted(**_of(held), completed_at=held.task.completed_at)
    return resource.TaskReopened(**_of(held), reopened_at=held.task.updated_at)


def deleted(held: HeldTask, *, permanent: bool) -> resource.TaskDeleted:
    """A task was deleted."""
    return resource.TaskDeleted(**_of(held), permanent=permanent, deleted_at=held.task.updated_at)


def restored(held: HeldTask) -> resource.TaskRestored:
    """A deleted task is back."""
    return resource.TaskRestored(**_of(held), restored_at=held.task.updated_at)


def _of(held: HeldTask) -> dict[str, Any]:
    task = held.task
    return {"task_id": task.id, "user_id": task.user_id, "title": task.title, "participants": held.participants}
