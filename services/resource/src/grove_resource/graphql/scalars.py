"""Scalars: times as in REST, JSON as objects."""

from datetime import datetime
from typing import Any

import strawberry
from pydantic import TypeAdapter, ValidationError
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from grove.core.schema import Moment

_TIME = TypeAdapter(Moment)


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _time(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("A time is an RFC 3339 string.")  # noqa: TRY004 - GraphQL tells ValueErrors to the client
    try:
        return _TIME.validate_python(value)
    except ValidationError:
        raise ValueError("A time is RFC 3339 with its offset, such as 2030-01-31T12:00:00Z.") from None


def _object(value: object) -> Any:
    if not isinstance(value, dict):
        raise ValueError("A JSON object is needed, not text that holds one.")  # noqa: TRY004 - as above
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time: RFC 3339 with its offset; answers are in UTC and end in `Z`.",
        serialize=_written,
        parse_value=_time,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="A JSON object, as it is; never text that holds one.",
        serialize=lambda value: value,
        parse_value=_object,
    ),
}
