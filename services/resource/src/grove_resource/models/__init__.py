"""Tables, one file each; imported here so that migrations see them all."""

from grove.outbox.postgres import InboxRow, OutboxRow
from grove.postgres.base import Base
from grove.service.erasure import ErasedUser
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_resource.models.activity import Activity, ActivityVersion
from grove_resource.models.attachment import Attachment
from grove_resource.models.moment import Moment
from grove_resource.models.profile import Profile
from grove_resource.models.reminder import Reminder
from grove_resource.models.share import Share
from grove_resource.models.tag import Tag
from grove_resource.models.task import Task
from grove_resource.models.user import User

__all__ = [
    "Activity",
    "ActivityVersion",
    "Attachment",
    "Base",
    "ErasedUser",
    "IdempotencyKeyRow",
    "InboxRow",
    "Moment",
    "OutboxRow",
    "Profile",
    "Reminder",
    "Share",
    "Tag",
    "Task",
    "User",
]
