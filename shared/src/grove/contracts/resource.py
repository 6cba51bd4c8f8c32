"""Events of the resource service."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from grove.contracts.event import Erased, EventData, Time


class _Task(EventData):
    task_id: UUID
    user_id: UUID
    title: str
    participants: list[UUID] = []
    """Users whom the task is shared with."""

    def subject(self) -> str:
        return str(self.task_id)

    def happened_at(self) -> datetime:
        """Each fact has its moment under the name of what happened: `created_at`, `updated_at`, …"""
        moment: datetime = getattr(self, f"{self.type.split('.')[2]}_at")
        return moment


class TaskCreated(_Task):
    """A task was created."""

    type: ClassVar = "resource.task.created.v1"
    created_at: Time


class TaskUpdated(_Task):
    """Fields of a task changed."""

    type: ClassVar = "resource.task.updated.v1"
    changed: list[str]
    updated_at: Time
    quiet: bool = False
    """One of many that changed at once: open lists want to know, nobody needs to be told."""


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


class _Share(EventData):
    share_id: UUID
    task_id: UUID
    user_id: UUID
    with_user_id: UUID
    title: str

    def subject(self) -> str:
        return str(self.share_id)


class TaskShared(_Share):
    """`user_id` shares a task with `with_user_id`, or gave them another role. Told once their address is verified."""

    type: ClassVar = "resource.task.shared.v1"
    role: Literal["viewer", "editor"]
    shared_at: Time


class TaskUnshared(_Share):
    """A task is no longer shared with `with_user_id`."""

    type: ClassVar = "resource.task.unshared.v1"
    unshared_at: Time


class TaskReminderDue(EventData):
    """A reminder's time has come. `user_id` set it."""

    type: ClassVar = "resource.task.reminder_due.v1"
    reminder_id: UUID
    task_id: UUID
    user_id: UUID
    title: str
    due_at: Time | None = None
    fired_at: Time

    def subject(self) -> str:
        return str(self.reminder_id)


class ProfileUpdated(EventData):
    """Fields of a profile changed; `photo` is one of them."""

    type: ClassVar = "resource.profile.updated.v1"
    user_id: UUID
    name: str
    changed: list[str]
    updated_at: Time

    def subject(self) -> str:
        return str(self.user_id)


class _Activity(EventData):
    activity_id: UUID
    user_id: UUID
    name: str

    def subject(self) -> str:
        return str(self.activity_id)


class ActivityCreated(_Activity):
    """A user defined a kind of activity."""

    type: ClassVar = "resource.activity.created.v1"
    created_at: Time


class ActivityUpdated(_Activity):
    """Fields of an activity changed; `schema_version` rose if `data_schema` is one of them."""

    type: ClassVar = "resource.activity.updated.v1"
    changed: list[str]
    schema_version: int
    updated_at: Time


class ActivityDeleted(_Activity):
    """An activity is gone, and all its moments with it."""

    type: ClassVar = "resource.activity.deleted.v1"
    deleted_at: Time


class _Moment(EventData):
    moment_id: UUID
    activity_id: UUID
    user_id: UUID
    occurred_at: Time

    def subject(self) -> str:
        return str(self.moment_id)


class MomentLogged(_Moment):
    """A user did something."""

    type: ClassVar = "resource.moment.logged.v1"
    logged_at: Time


class MomentUpdated(_Moment):
    """Fields of a moment changed."""

    type: ClassVar = "resource.moment.updated.v1"
    changed: list[str]
    updated_at: Time


class MomentDeleted(_Moment):
    """A moment is gone."""

    type: ClassVar = "resource.moment.deleted.v1"
    deleted_at: Time


class UserErased(Erased):
    """This service erased a deleted user."""

    type: ClassVar = "resource.user.erased.v1"
