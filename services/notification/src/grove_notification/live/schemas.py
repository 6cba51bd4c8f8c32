"""What is sent live, as the document tells of it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, RootModel

from grove.core.schema import Outgoing
from grove_notification.notifications.schemas import NotificationRead

_Id = Annotated[str, Field(description="Everything up to there was sent: resume from it", examples=["dGhpc2lzYW5p.42"])]


class StreamTicket(Outgoing):
    """A way to connect without a header. `expires_in` in seconds."""

    ticket: str
    expires_in: int


class UnreadNow(Outgoing):
    """How many are unread."""

    count: int


class TaskChange(Outgoing):
    """A task that you have a part in changed. `version`: of two frames about a task the higher one is newer, and one
    that comes late can be told; null when your part in it changed. `etag`: what GET answers its owner; null for who it
    is shared with, whose tags name their role, and when there is nothing to get any more.
    """

    id: UUID
    change: Literal["created", "updated", "completed", "reopened", "deleted", "restored", "shared", "unshared"]
    version: int | None
    etag: str | None


class Nothing(Outgoing):
    """The type says it all."""


class NotificationFrame(Outgoing):
    """Something you are told."""

    id: _Id
    type: Literal["notification"]
    data: NotificationRead


class UnreadCountFrame(Outgoing):
    """At first, and whenever it may be another number."""

    id: _Id
    type: Literal["unread_count"]
    data: UnreadNow


class TaskChangedFrame(Outgoing):
    """Whatever your preferences say."""

    id: _Id
    type: Literal["task.changed"]
    data: TaskChange


class PlainFrame(Outgoing):
    """`reset`: what you missed is not kept any more; load your lists anew. `ping`: the line is alive."""

    id: _Id
    type: Literal["reset", "ping"]
    data: Nothing


class LiveFrame(RootModel[NotificationFrame | UnreadCountFrame | TaskChangedFrame | PlainFrame]):
    """What a WebSocket sends as a message, and an event stream as an event."""
