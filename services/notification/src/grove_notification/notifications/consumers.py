"""Facts of other services → notifications, pushed live once they are committed."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.resource import TaskDeleted, TaskShared, TaskUnshared, TaskUpdated
from grove.messaging.handlers import Received
from grove.web.etag import etag
from grove_notification.live.stream import Frame
from grove_notification.notifications.tell import Teller


async def on_fact(teller: Teller, session: AsyncSession, event: Received[Any]) -> None:
    """Tell the user whom it is about."""
    await teller.tell(session, event, event.data.user_id)


async def on_task_fact(teller: Teller, session: AsyncSession, event: Received[Any]) -> None:
    """Tell the owner and everybody the task is shared with, and let open lists know what changed.

    A quiet fact does the latter only, and goes to webhooks.
    """
    data = event.data
    change, version = data.type.split(".")[2], event.sequence
    gone = isinstance(data, TaskDeleted) and data.permanent
    for user_id in (data.user_id, *data.participants):
        # a participant's tag names their role, which is not known here
        tag = None if gone or user_id != data.user_id else etag(data.task_id, version)
        teller.show(session, event, _changed(user_id, data.task_id, change, version, tag))
        if isinstance(data, TaskUpdated) and data.quiet:
            await teller.tell_webhooks(session, event, user_id)
        else:
            await teller.tell(session, event, user_id)


async def on_shared(teller: Teller, session: AsyncSession, event: Received[TaskShared]) -> None:
    """Open lists get the task, and whom it is shared with is told.

    The owner named an address, and is not told whether it has an account.
    """
    data = event.data
    teller.show(session, event, _changed(data.with_user_id, data.task_id, "shared"))
    await teller.tell(session, event, data.with_user_id)


async def on_unshared(teller: Teller, session: AsyncSession, event: Received[TaskUnshared]) -> None:
    """Open lists lose the task, and webhooks of whom it was shared with are told; nobody has to read it.

    Nor is the owner told: as with `on_shared`.
    """
    data = event.data
    teller.show(session, event, _changed(data.with_user_id, data.task_id, "unshared"))
    await teller.tell_webhooks(session, event, data.with_user_id)


async def on_silent_fact(teller: Teller, session: AsyncSession, event: Received[Any]) -> None:
    """A fact that users need not read, for they did it themselves a moment ago: for webhooks only."""
    await teller.tell_webhooks(session, event, event.data.user_id)


def _changed(user_id: UUID, task_id: UUID, change: str, version: int | None = None, tag: str | None = None) -> Frame:
    """`version`: the task's, as far as the fact tells it."""
    return Frame(user_id, "task.changed", {"id": str(task_id), "change": change, "version": version, "etag": tag})
