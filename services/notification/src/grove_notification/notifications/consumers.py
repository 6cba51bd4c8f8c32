"""Facts of other services → notifications, pushed live once they are committed."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.ids import new_id
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove.web.etag import etag
from grove_notification.live.push import LivePush
from grove_notification.models import Notification
from grove_notification.notifications.schemas import NOTIFICATION, NotificationRead
from grove_notification.notifications.wording import wording


async def on_fact(push: LivePush, session: AsyncSession, event: Received[Any]) -> None:
    """Tell the user, if it is worth telling. `created_at` is when it happened, so feeds show it in its place."""
    words = wording(event.data)
    if words is None or await is_erased(session, event.data.user_id):
        return
    notification = Notification(
        id=new_id(),
        user_id=event.data.user_id,
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
    event.after_commit.append(
        lambda: push.send(notification.user_id, "notification", frame, frame_id=str(notification.id))
    )


async def on_task_fact(push: LivePush, session: AsyncSession, event: Received[Any]) -> None:
    """Tell the user, and let open lists know what changed."""
    data = event.data
    change = data.type.split(".")[2]
    frame = {"id": str(data.task_id), "change": change, "etag": etag(data.task_id, event.sequence)}
    event.after_commit.append(lambda: push.send(data.user_id, "task.changed", frame))
    await on_fact(push, session, event)


async def on_nothing_to_tell(_: AsyncSession, __: Received[Any]) -> None:
    """A fact that users need not read: they did it themselves a moment ago."""
