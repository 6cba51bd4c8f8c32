"""A task's list of attachments: its filters and orders."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam, exists, or_

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_resource.models import Attachment, Share, Task

ORDERS = Keyset(
    {
        "created_at": Sortable(Attachment.created_at, parse_time),
        "name": Sortable(Attachment.name, str),
        "size": Sortable(Attachment.size, int),
    },
    tie=Attachment.id,
)

FILTERS: dict[str, ColumnElement[bool]] = {
    "task_id": Attachment.task_id == bindparam("task_id"),
    "user_id": or_(
        exists().where(Task.id == bindparam("task_id"), Task.user_id == bindparam("user_id")),
        exists().where(Share.task_id == bindparam("task_id"), Share.user_id == bindparam("user_id")),
    ),
}


class AttachmentQuery(ListQuery):
    """What a task's list of attachments can be asked for."""

    sort: Annotated[str, Field(max_length=100, description="created_at, name, size; `-` for descending")] = (
        "-created_at"
    )
