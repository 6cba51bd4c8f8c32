"""Base classes of the JSON that services take and give."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.functional_validators import AfterValidator


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a time from the year 1 to 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A point in time: timezone-aware in, UTC inside, RFC 3339 with `Z` out (which is how Pydantic writes UTC)."""


class Incoming(BaseModel):
    """A request body: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class Outgoing(BaseModel):
    """A response body. What lists hold by the dozen is a slotted dataclass instead: a quarter of the cost to make."""

    model_config = ConfigDict(from_attributes=True)
