"""Notification routes."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from grove.service.listing import List
from grove.service.sessions import after_commit
from grove.web.answers import json_answer, json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, etag
from grove.web.pagination import CursorPage, Page, invalid_query
from grove.web.query import parameters_of, query_as
from grove_notification.deps import (
    NotificationReader,
    NotificationWriter,
    ReadsDep,
    ResourcesDep,
    WriteSession,
)
from grove_notification.models import Notification
from grove_notification.notifications.listing import FILTERS, ORDERS, NotificationFilter
from grove_notification.notifications.repository import (
    NOTIFICATION_JSON,
    UNREAD,
    NotificationQueries,
    NotificationRepository,
)
from grove_notification.notifications.schemas import (
    NOTIFICATION,
    Count,
    Deleted,
    NotificationMark,
    NotificationRead,
    Updated,
)
from grove_notification.notifications.service import NotificationService, count_changed, mark_all_read

router = APIRouter(
    prefix="/api/v1/notifications",
    tags=["notifications"],
    route_class=GroveRoute,
    responses=error_responses(404, 412),
)

_NOTIFICATIONS = List(
    item=NOTIFICATION_JSON, filters=FILTERS, orders=ORDERS, counts={"X-Unread-Count": UNREAD.scalar_subquery()}
)
MAX_DELETED = 100
Wanted = Annotated[NotificationFilter, query_as(NotificationFilter)]


async def _service(user: NotificationWriter, session: WriteSession, resources: ResourcesDep) -> NotificationService:
    async def changed() -> None:
        frame = await count_changed(session, user.user_id)
        after_commit(session, partial(resources.push.send, frame))

    return NotificationService(NotificationRepository(session, user.user_id), changed)


Notifications = Annotated[NotificationService, Depends(_service)]


@router.get(
    "",
    response_model=Page[NotificationRead] | CursorPage[NotificationRead],
    openapi_extra=parameters_of(NotificationFilter),
)
async def list_notifications(
    request: Request,
    user: NotificationReader,
    reads: ReadsDep,
    wanted: Wanted,
) -> Response:
    """List your notifications, newest first; `X-Unread-Count` counts all that are unread, at the same moment."""
    return await _NOTIFICATIONS.answer(request, reads, wanted, {"user_id": user.user_id, **wanted.given})


@router.delete("")
async def delete_notifications(
    notifications: Notifications,
    notification_ids: Annotated[list[str], Query(description="1–100 ids, repeated or separated by commas")],
) -> Deleted:
    """Delete several notifications; ids that are not yours are passed over."""
    return Deleted(deleted=await notifications.delete_many(_ids(notification_ids)))


@router.put("/mark-all-read")
async def mark_all_as_read(user: NotificationWriter, reads: ReadsDep, resources: ResourcesDep) -> Updated:
    """Mark all your notifications as read that you have at this moment; one that comes meanwhile stays unread."""
    newest = await NotificationQueries(reads, user.user_id).newest_unread()
    if newest is None:
        return Updated(updated=0)
    return Updated(updated=await mark_all_read(resources.sessions, resources.push, user.user_id, upto=newest))


@router.get("/unread/count")
async def unread_count(user: NotificationReader, reads: ReadsDep) -> Count:
    """How many of your notifications are unread."""
    return Count(count=await NotificationQueries(reads, user.user_id).unread())


@router.get(
    "/{notification_id}",
    response_model=NotificationRead,
    responses={304: {"description": "You have this version"}},
)
async def get_notification(
    notification_id: UUID, user: NotificationReader, reads: ReadsDep, conditions: RequestConditions
) -> Response:
    """Read one notification; that does not mark it as read."""
    notification, version = await NotificationQueries(reads, user.user_id).get(notification_id)
    tag = etag(notification_id, version)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(notification, headers={"ETag": tag})


@router.put("/{notification_id}", response_model=NotificationRead)
async def mark_notification(
    notification_id: UUID, data: NotificationMark, notifications: Notifications, conditions: RequestConditions
) -> Response:
    """Mark one notification as read or unread."""
    return _answer(await notifications.mark(notification_id, conditions, is_read=data.is_read))


@router.delete("/{notification_id}", status_code=204)
async def delete_notification(
    notification_id: UUID, notifications: Notifications, conditions: RequestConditions
) -> None:
    """Delete one notification. Nothing is kept of it, so another time it is 404, as one that you never had."""
    await notifications.delete(notification_id, conditions)


def _answer(notification: Notification) -> Response:
    tag = etag(notification.id, notification.version)
    return json_answer(NOTIFICATION, NotificationRead.of(notification), headers={"ETag": tag})


def _ids(given: list[str]) -> list[UUID]:
    parts = [part.strip() for item in given for part in item.split(",")]
    if not 1 <= len(parts) <= MAX_DELETED:
        raise invalid_query("notification_ids", f"takes 1 to {MAX_DELETED} ids")
    try:
        return [UUID(part) for part in parts]
    except ValueError:
        raise invalid_query("notification_ids", "must be UUIDs") from None
