"""The notification list: its filters and order."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, bindparam

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.sorting import SortKey, parse_sort
from grove_notification.models import Notification

ORDERS = Keyset({"created_at": Sortable(Notification.created_at, parse_time)}, tie=Notification.id)


FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": Notification.user_id == bindparam("user_id"),
    "unread": Notification.read_at.is_(None),
    "type": Notification.type == bindparam("type"),
}


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """What a list is narrowed to: names of FILTERS with their values."""

    given: dict[str, Any]
    sort: tuple[SortKey, ...]


async def _filter(
    unread_only: Annotated[bool, Query(description="Only what is unread")] = False,
    type: Annotated[  # noqa: A002 - the name is part of the API
        str | None, Query(pattern=r"^[A-Z_]{1,40}$", description="Only this type, such as TASK_CREATED")
    ] = None,
    sort: Annotated[str, Query(max_length=100, description="created_at; `-` for descending")] = "-created_at",
) -> NotificationFilter:
    given: dict[str, Any] = {}
    if unread_only:
        given["unread"] = None
    if type is not None:
        given["type"] = type
    return NotificationFilter(given, tuple(parse_sort(sort, ORDERS.names)))


Filter = Annotated[NotificationFilter, Depends(_filter)]
