"""Notifications as JSON."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from pydantic import Field, TypeAdapter

from grove.core.schema import Incoming, Moment, Outgoing

if TYPE_CHECKING:
    from grove_notification.models import Notification


@dataclass(slots=True, kw_only=True)
class NotificationRead:
    """Something you were told."""

    id: UUID
    type: str
    title: str
    message: str
    is_read: bool
    task_id: UUID | None
    link: Annotated[
        str | None,
        Field(
            description="Path of what it is about: on the auth host below /api/v1/auth, else on the api host",
            examples=["/api/v1/tasks/01a22baa-d520-740a-97f1-7958b1ce7a22"],
        ),
    ]
    created_at: Moment
    read_at: Moment | None

    @classmethod
    def of(cls, row: "Notification") -> "NotificationRead":
        """From a row that was made or changed, and is known to fit."""
        return cls(
            id=row.id,
            type=row.type,
            title=row.title,
            message=row.message,
            is_read=row.read_at is not None,
            task_id=row.task_id,
            link=row.link,
            created_at=row.created_at,
            read_at=row.read_at,
        )


NOTIFICATION = TypeAdapter(NotificationRead)


class NotificationMark(Incoming):
    """Read or unread."""

    is_read: bool


class Updated(Outgoing):
    """How many were changed."""

    updated: int


class Deleted(Outgoing):
    """How many were deleted."""

    deleted: int


class Count(Outgoing):
    """How many there are."""

    count: int
