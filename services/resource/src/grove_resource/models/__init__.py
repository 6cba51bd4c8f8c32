"""Tables, one file each; imported here so that migrations see them all."""

from grove.outbox.postgres import InboxRow, OutboxRow
from grove.postgres.base import Base
from grove.service.erasure import ErasedUser
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove_resource.models.task import Task
from grove_resource.models.user import User

__all__ = ["Base", "ErasedUser", "IdempotencyKeyRow", "InboxRow", "OutboxRow", "Task", "User"]
