"""Activities as JSON."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from grove.core.schema import Incoming, Moment
from grove.core.text import CleanLine, CleanText

if TYPE_CHECKING:
    from grove_resource.models import Activity

_EXAMPLE = {
    "type": "object",
    "properties": {"distance_km": {"type": "number", "minimum": 0}, "route": {"type": "string", "maxLength": 100}},
    "required": ["distance_km"],
    "additionalProperties": False,
}

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), CleanLine, Field(examples=["Running"])
]
Description = Annotated[
    str, StringConstraints(max_length=1000), CleanText, Field(examples=["Each run, with its distance"])
]
DataSchema = Annotated[
    dict[str, Any],
    Field(
        description="JSON Schema 2020-12 of each moment's `data`; its `type` is object",
        examples=[_EXAMPLE],
    ),
]


class ActivityCreate(Incoming):
    """A new activity."""

    name: Name
    description: Description = ""
    data_schema: DataSchema


class ActivityReplace(Incoming):
    """All writable fields of an activity."""

    name: Name
    description: Description
    data_schema: DataSchema


class ActivityPatch(Incoming):
    """The fields to change."""

    name: Name = ""
    description: Description = ""
    data_schema: DataSchema = {}


@dataclass(slots=True, kw_only=True)
class ActivityRead:
    """An activity. `version` counts the changes of `data_schema`."""

    id: UUID
    name: str
    description: str
    data_schema: dict[str, Any]
    version: int
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, activity: "Activity") -> "ActivityRead":
        """From a row that was changed."""
        return cls(
            id=activity.id,
            name=activity.name,
            description=activity.description,
            data_schema=activity.data_schema,
            version=activity.schema_version,
            created_at=activity.created_at,
            updated_at=activity.updated_at,
        )


@dataclass(slots=True, kw_only=True)
class VersionRead:
    """A schema that the activity has or had."""

    version: int
    data_schema: dict[str, Any]
    created_at: Moment


@dataclass(slots=True, kw_only=True)
class RecentActivity:
    """An activity that was used. `last_occurred_at` is the time of its latest moment."""

    activity: ActivityRead
    last_occurred_at: Moment
    moments_last_7_days: int


@dataclass(slots=True, kw_only=True)
class RecentActivities:
    """The activities used last, the latest first."""

    items: list[RecentActivity]
