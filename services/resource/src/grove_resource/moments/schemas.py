"""Moments as JSON."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from pydantic import Field

from grove.core.schema import Incoming
from grove.core.schema import Moment as Time

if TYPE_CHECKING:
    from grove_resource.models import Moment

Data = Annotated[
    dict[str, Any],
    Field(
        description="What was done, as the activity's `data_schema` says",
        examples=[{"distance_km": 7.5, "route": "Along the river"}],
    ),
]
OccurredAt = Annotated[Time, Field(examples=["2026-05-01T07:30:00Z"])]


class MomentCreate(Incoming):
    """A new moment."""

    activity_id: UUID
    occurred_at: OccurredAt
    data: Data


class MomentReplace(Incoming):
    """All writable fields of a moment."""

    activity_id: UUID
    occurred_at: OccurredAt
    data: Data


class MomentPatch(Incoming):
    """The fields to change."""

    activity_id: UUID = UUID(int=0)
    occurred_at: OccurredAt = datetime(1970, 1, 1, tzinfo=UTC)
    data: Data = {}


@dataclass(slots=True, kw_only=True)
class MomentRead:
    """A moment. `schema_version` is the version of its activity's schema that `data` satisfies."""

    id: UUID
    activity_id: UUID
    schema_version: int
    occurred_at: Time
    data: dict[str, Any]
    created_at: Time
    updated_at: Time

    @classmethod
    def of(cls, moment: "Moment") -> "MomentRead":
        """From a row that was changed."""
        return cls(
            id=moment.id,
            activity_id=moment.activity_id,
            schema_version=moment.schema_version,
            occurred_at=moment.occurred_at,
            data=moment.data,
            created_at=moment.created_at,
            updated_at=moment.updated_at,
        )
