"""Facts of other services → notifications, pushed live once they are committed."""

from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.resource import TaskShared, TaskUnshared, TaskUpdated
from grove.core.ids import new_id
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove.web.etag import etag
from grove_notification.live.push import LivePush
from grove_notification.models import Notification
from grove_notification.notifications.schemas import NOTIFICATION, NotificationRead
from grove_notification.notifications.wording import wording


async def on_fact(push: LivePush, session: AsyncSession, event: Received[Any]) -> None:
    """Tell the user whom it is about."""
    await _tell(push, session, event, event.data.user_id)


async def on_task_fact(push: LivePush, session: AsyncSession, event: Received[Any]) -> None:
    """Tell the owner and everybody the task is shared with, and let open lists know what changed.

    A quiet fact does the latter only.
    """
    data = event.data
    frame = _changed(data.task_id, data.type.split(".")[2], event.sequence)
    for user_id in (data.user_id, *data.participants):
        event.after_commit.append(partial(push.send, user_id, "task.changed", frame))
        if not (isinstance(data, TaskUpdated) and data.quiet):
            await _tell(push, session, event, user_id)


async def on_shared(push: LivePush, session: AsyncSession, event: Received[TaskShared]) -> None:
    """Tell whom the task is shared with; the owner did it a moment ago."""
    await _tell(push, session, event, event.data.with_user_id)


async def on_unshared(push: LivePush, _: AsyncSession, event: Received[TaskUnshared]) -> None:
    """Open lists lose the task; nobody is told that they were left out."""
    data = event.data
    frame = {"id": str(data.task_id), "change": "unshared", "etag": None}
    event.after_commit.append(partial(push.send, data.with_user_id, "task.changed", frame))


async def on_nothing_to_tell(_: AsyncSession, __: Received[Any]) -> None:
    """A fact that users need not read: they did it themselves a moment ago."""


async def _tell(push: LivePush, session: AsyncSession, event: Received[Any], user_id: UUID) -> None:
    """Notify, if it is worth telling. `created_at` is when it happened, so feeds show it in its place."""
    words = wording(event.data)
    if words is None or await is_erased(session, user_id):
        return
    notification = Notification(
        id=new_id(),
        user_id=user_id,
        type=words.type,
        title=words.title,
        message=words.message,
        task_id=words.task_id,
        link=words.link,
        created_at=event.envelope.time,
        read_at=None,
        version=1,
    )
    session.add(notification)
    frame = NOTIFICATION.dump_python(NotificationRead.of(notification), mode="json")
    event.after_commit.append(partial(push.send, user_id, "notification", frame, frame_id=str(notification.id)))


def _changed(task_id: UUID, change: str, version: int) -> dict[str, str]:
    return {"id": str(task_id), "change": change, "etag": etag(task_id, version)}
