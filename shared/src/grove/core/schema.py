"""Base classes of the JSON that services take and give."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer
from pydantic.functional_validators import AfterValidator

from grove.core.clock import rfc3339


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_utc), PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""A point in time: timezone-aware in, UTC inside, RFC 3339 with `Z` out."""


class Incoming(BaseModel):
    """A request body: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Outgoing(BaseModel):
    """A response body."""

    model_config = ConfigDict(from_attributes=True)
