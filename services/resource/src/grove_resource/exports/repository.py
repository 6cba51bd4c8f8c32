"""What an archive holds, section by section, always scoped by the acting user."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Uuid, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSON, aggregate_order_by

from grove.postgres.base import Expression
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.service.listing import List
from grove.web.pagination import ListQuery
from grove_resource.activities.listing import ORDERS as ACTIVITY_ORDERS
from grove_resource.activities.repository import ACTIVITY_JSON, VERSION_JSON
from grove_resource.exports.schemas import (
    ArchivedActivity,
    ArchivedAttachment,
    ArchivedParticipation,
    ArchivedReminder,
    ArchivedShare,
    ArchivedTag,
    ArchivedTask,
)
from grove_resource.models import Activity, ActivityVersion, Attachment, Moment, Reminder, Share, Tag, Task
from grove_resource.moments.listing import ORDERS as MOMENT_ORDERS
from grove_resource.moments.repository import MOMENT_JSON
from grove_resource.tasks.listing import ORDERS as TASK_ORDERS
from grove_resource.tasks.repository import TASK_JSON

_USER: ColumnElement[UUID] = bindparam("user_id", type_=Uuid)

_REMINDER = JsonRow(
    Reminder,
    ArchivedReminder,
    {
        "id": Reminder.id,
        "at": Reminder.at,
        "minutes_before_due": Reminder.minutes_before_due,
        "fired_at": Reminder.fired_at,
        "created_at": Reminder.created_at,
    },
)
_SHARE = JsonRow(
    Share,
    ArchivedShare,
    {"id": Share.id, "email": Share.email, "role": Share.role, "created_at": Share.created_at},
)
_ATTACHMENT = JsonRow(
    Attachment,
    ArchivedAttachment,
    {
        "id": Attachment.id,
        "name": Attachment.name,
        "content_type": Attachment.content_type,
        "size": Attachment.size,
        "sha256": func.encode(Attachment.sha256, literal_column("'hex'")),
        "state": Attachment.state,
        "created_at": Attachment.created_at,
    },
)


def _all(rows: JsonRow, order: Expression, *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    """The rows as a JSON array, within the row that the conditions speak of."""
    made = cast(func.row_to_json(literal_column("item")), Text)
    listed = func.string_agg(made, aggregate_order_by(literal_column("','"), order))
    found = rows.select().where(*conditions).with_only_columns(listed, maintain_column_froms=True)
    text = func.coalesce(found.correlate_except(rows.table).scalar_subquery(), literal_column("''"))
    return cast(func.concat(literal_column("'['"), text, literal_column("']'")), JSON)


_TAG = JsonRow(
    Tag,
    ArchivedTag,
    {"id": Tag.id, "name": Tag.name, "color": Tag.color, "created_at": Tag.created_at, "updated_at": Tag.updated_at},
)
_TASK = TASK_JSON.extended(
    ArchivedTask,
    {
        "shares": _all(_SHARE, Share.created_at, Share.task_id == Task.id),
        "reminders": _all(_REMINDER, Reminder.created_at, Reminder.task_id == Task.id, Reminder.user_id == _USER),
        "attachments": _all(_ATTACHMENT, Attachment.created_at, Attachment.task_id == Task.id),
    },
)
_TITLE = select(Task.title).where(Task.id == Share.task_id).correlate_except(Task).scalar_subquery()
_PARTICIPATION = JsonRow(
    Share,
    ArchivedParticipation,
    {
        "task_id": Share.task_id,
        "title": _TITLE,
        "role": Share.role,
        "created_at": Share.created_at,
        "reminders": _all(_REMINDER, Reminder.created_at, Reminder.task_id == Share.task_id, Reminder.user_id == _USER),
        "attachments": _all(
            _ATTACHMENT, Attachment.created_at, Attachment.task_id == Share.task_id, Attachment.user_id == _USER
        ),
    },
)
_ACTIVITY = ACTIVITY_JSON.extended(
    ArchivedActivity,
    {"versions": _all(VERSION_JSON, ActivityVersion.version, ActivityVersion.activity_id == Activity.id)},
)


@dataclass(frozen=True, slots=True)
class _Section:
    """A list that is walked from its newest row to its oldest; `size` rows at a time keep a page small."""

    rows: List
    sort: str
    size: int = 100


def _section(item: JsonRow, owner: Expression, orders: Keyset, sort: str, size: int = 100) -> _Section:
    return _Section(List(item=item, filters={"user_id": owner == _USER}, orders=orders), sort, size)


_SECTIONS: Mapping[str, _Section] = {
    "tags": _section(_TAG, Tag.user_id, Keyset({"name": Sortable(Tag.name, str)}, tie=Tag.id), "name"),
    "tasks": _section(_TASK, Task.user_id, TASK_ORDERS, "-created_at"),
    "shared_with_me": _section(
        _PARTICIPATION,
        Share.user_id,
        Keyset({"created_at": Sortable(Share.created_at, parse_time)}, tie=Share.id),
        "-created_at",
    ),
    # with up to 100 versions of 64 KiB each
    "activities": _section(_ACTIVITY, Activity.user_id, ACTIVITY_ORDERS, "-created_at", size=1),
    "moments": _section(MOMENT_JSON, Moment.user_id, MOMENT_ORDERS, "-occurred_at"),
}


class ArchiveQueries:
    """Reads an archive in pages, a statement each: no connection is held while a slow client takes them."""

    def __init__(self, reads: Reads, user_id: UUID) -> None:
        self._reads = reads
        self._user_id = user_id

    async def pages(self) -> AsyncIterator[tuple[str, str | None]]:
        """Each section's name with each of its pages, as JSON values joined by commas; None for one without rows."""
        for name, section in _SECTIONS.items():
            cursor: str | None = ""
            while cursor is not None:
                query = ListQuery(size=section.size, cursor=cursor, sort=section.sort)
                items, cursor = await section.rows.walk(self._reads, query, {"user_id": self._user_id})
                yield name, items
