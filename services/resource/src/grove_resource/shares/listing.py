"""The list of a task's shares: its orders, and whose it is."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import ColumnElement, Uuid, bindparam, exists

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_resource.models import Share, Task

ORDERS = Keyset(
    {"created_at": Sortable(Share.created_at, parse_time), "email": Sortable(Share.email, str)}, tie=Share.id
)

FILTERS: dict[str, ColumnElement[bool]] = {
    "task_id": Share.task_id == bindparam("task_id"),
    "owner_id": exists()
    .where(Task.id == Share.task_id, Task.user_id == bindparam("owner_id", type_=Uuid))
    .correlate_except(Task),
}


class ShareQuery(ListQuery):
    """What the list of shares can be asked for."""

    sort: Annotated[str, Field(max_length=100, description="created_at, email; `-` for descending")] = "-created_at"
