"""The archive as JSON."""

from dataclasses import dataclass
from uuid import UUID

from grove.core.schema import Moment
from grove_resource.activities.schemas import ActivityRead, VersionRead
from grove_resource.moments.schemas import MomentRead
from grove_resource.profiles.schemas import ProfileRead
from grove_resource.tasks.schemas import TaskRead


@dataclass(slots=True, kw_only=True)
class ArchivedTag:
    """A tag."""

    id: UUID
    name: str
    color: str | None
    created_at: Moment
    updated_at: Moment


@dataclass(slots=True, kw_only=True)
class ArchivedShare:
    """Whom a task is shared with."""

    id: UUID
    email: str
    role: str
    created_at: Moment


@dataclass(slots=True, kw_only=True)
class ArchivedReminder:
    """When the user wants to hear of a task."""

    id: UUID
    at: Moment | None
    minutes_before_due: int | None
    fired_at: Moment | None
    created_at: Moment


@dataclass(slots=True, kw_only=True)
class ArchivedAttachment:
    """What is known of a file; the file itself is at GET /tasks/{id}/attachments/{attachment_id}."""

    id: UUID
    name: str
    content_type: str
    size: int
    sha256: str
    state: str
    created_at: Moment


@dataclass(slots=True, kw_only=True)
class ArchivedTask(TaskRead):
    """A task of the user, deleted ones too, with what hangs on it."""

    shares: list[ArchivedShare]
    reminders: list[ArchivedReminder]
    attachments: list[ArchivedAttachment]


@dataclass(slots=True, kw_only=True)
class ArchivedParticipation:
    """The user's part in a task of somebody else: their reminders, and the files that they brought."""

    task_id: UUID
    title: str
    role: str
    created_at: Moment
    reminders: list[ArchivedReminder]
    attachments: list[ArchivedAttachment]


@dataclass(slots=True, kw_only=True)
class ArchivedActivity(ActivityRead):
    """An activity with all schemas that it has had."""

    versions: list[VersionRead]


@dataclass(slots=True, kw_only=True)
class Archive:
    """All that this service has of a user."""

    user_id: UUID
    exported_at: Moment
    profile: ProfileRead
    tags: list[ArchivedTag]
    tasks: list[ArchivedTask]
    shared_with_me: list[ArchivedParticipation]
    activities: list[ArchivedActivity]
    moments: list[MomentRead]
