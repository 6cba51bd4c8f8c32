"""The list of activities, and the list of an activity's versions."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam, exists, func

from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery
from grove_resource.models import Activity, ActivityVersion

ORDERS = Keyset(
    {
        "created_at": Sortable(Activity.created_at, parse_time),
        "updated_at": Sortable(Activity.updated_at, parse_time),
        "name": Sortable(func.lower(Activity.name), str),
    },
    tie=Activity.id,
)
FILTERS: dict[str, ColumnElement[bool]] = {"user_id": Activity.user_id == bindparam("user_id")}


class ActivityFilter(ListQuery):
    """What the list of activities can be asked for."""

    sort: Annotated[str, Field(max_length=100, description="created_at, updated_at, name; `-` for descending")] = (
        "-created_at"
    )


VERSION_ORDERS = Keyset(
    {"version": Sortable(ActivityVersion.version, int)},
    tie=ActivityVersion.activity_id,  # the same in each row: a version is there once
)
VERSION_FILTERS: dict[str, ColumnElement[bool]] = {
    "activity_id": ActivityVersion.activity_id == bindparam("activity_id"),
    "user_id": exists().where(Activity.id == ActivityVersion.activity_id, Activity.user_id == bindparam("user_id")),
}


class VersionFilter(ListQuery):
    """What the list of versions can be asked for."""

    sort: Annotated[str, Field(max_length=100, description="version; `-` for descending")] = "-version"


def scope(user_id: UUID, activity_id: UUID | None = None) -> dict[str, UUID]:
    """The names of the filters that apply, with their values."""
    return {"user_id": user_id} | ({"activity_id": activity_id} if activity_id is not None else {})
