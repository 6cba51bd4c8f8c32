"""The list of moments: its filters and orders."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, bindparam

from grove.core.schema import Moment as Time
from grove.service.keyset import Keyset, Sortable, parse_time
from grove.web.pagination import ListQuery, invalid_query
from grove.web.query import parameters_of
from grove_resource.models import Moment
from grove_resource.moments import data_filters

ORDERS = Keyset(
    {
        "occurred_at": Sortable(Moment.occurred_at, parse_time),
        "created_at": Sortable(Moment.created_at, parse_time),
    },
    tie=Moment.id,
)

FILTERS: dict[str, ColumnElement[bool]] = {
    "user_id": Moment.user_id == bindparam("user_id"),
    "activity_id": Moment.activity_id == bindparam("activity_id"),
    "occurred_from": Moment.occurred_at >= bindparam("occurred_from"),
    "occurred_to": Moment.occurred_at < bindparam("occurred_to"),
    **data_filters.FILTERS,
}


class MomentFilter(ListQuery):
    """What the list of moments can be asked for, beside filters by data (data_filters.py)."""

    activity_id: Annotated[UUID | None, Field(description="Moments of this activity")] = None
    occurred_from: Annotated[Time | None, Field(description="Occurred at this time or later")] = None
    occurred_to: Annotated[Time | None, Field(description="Occurred before this time")] = None
    sort: Annotated[str, Field(max_length=100, description="occurred_at, created_at; `-` for descending")] = (
        "-occurred_at"
    )

    def given(self, data: dict[str, Any]) -> dict[str, Any]:
        """The names of FILTERS that apply, with their values; `data` are those by data. Raises Invalid."""
        values = {"activity_id": self.activity_id, "occurred_from": self.occurred_from, "occurred_to": self.occurred_to}
        if data_filters.has_bounds(data):
            for name, value in values.items():
                if value is None:
                    raise invalid_query(name, "is needed with `data.<path>.gte` and `data.<path>.lte`")
        return data | {name: value for name, value in values.items() if value is not None}


_PATH = (
    f"`<path>` is one name or up to {data_filters.MAX_KEYS} with dots between them, for nested objects. "
    f"At most {data_filters.MAX_FILTERS} filters by data."
)
_RANGED = "With `activity_id`, `occurred_from` and `occurred_to` only."


def parameters() -> dict[str, Any]:
    """The query parameters for the OpenAPI document."""
    described = {
        "data.<path>": f"Moments whose data has this value there; `5` is the number or the text. {_PATH}",
        "data.<path>.gte": f"At least this: a number compares with numbers, other text with strings. {_RANGED}",
        "data.<path>.lte": f"At most this. {_RANGED}",
    }
    by_data = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string", "maxLength": data_filters.MAX_VALUE_LENGTH},
            "description": description,
        }
        for name, description in described.items()
    ]
    return {"parameters": [*parameters_of(MomentFilter)["parameters"], *by_data]}
