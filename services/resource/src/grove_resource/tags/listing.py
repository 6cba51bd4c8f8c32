"""The tag list: its orders."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_resource.models import Tag

ORDERS = Keyset(
    {
        "name": Sortable(Tag.name, str),
        "created_at": Sortable(Tag.created_at, parse_time),
        "updated_at": Sortable(Tag.updated_at, parse_time),
    },
    tie=Tag.id,
)

FILTERS: dict[str, ColumnElement[bool]] = {"user_id": Tag.user_id == bindparam("user_id")}


class TagQuery(ListQuery):
    """What the tag list can be asked for."""

    sort: Annotated[str, Field(max_length=100, description="name, created_at, updated_at; `-` for descending")] = "name"
