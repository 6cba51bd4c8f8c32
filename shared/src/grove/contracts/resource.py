"""Events of the resource service."""

from typing import ClassVar
from uuid import UUID

from grove.contracts.event import Erased, EventData, Time


class _Task(EventData):
    task_id: UUID
    user_id: UUID
    title: str

    def subject(self) -> str:
        return str(self.task_id)


class TaskCreated(_Task):
    """A task was created."""

    type: ClassVar = "resource.task.created.v1"
    created_at: Time


class TaskUpdated(_Task):
    """Fields of a task changed."""

    type: ClassVar = "resource.task.updated.v1"
    changed: list[str]
    updated_at: Time


class TaskCompleted(_Task):
    """A task was completed."""

    type: ClassVar = "resource.task.completed.v1"
    completed_at: Time


class TaskReopened(_Task):
    """A completed task is pending again."""

    type: ClassVar = "resource.task.reopened.v1"
    reopened_at: Time


class TaskDeleted(_Task):
    """A task was deleted; `permanent` when it can't be restored."""

    type: ClassVar = "resource.task.deleted.v1"
    permanent: bool
    deleted_at: Time


class TaskRestored(_Task):
    """A deleted task is back."""

    type: ClassVar = "resource.task.restored.v1"
    restored_at: Time


class UserErased(Erased):
    """This service erased a deleted user."""

    type: ClassVar = "resource.user.erased.v1"
