"""What statistics can be asked for."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from grove.core.clock import now
from grove.core.schema import Moment

MAX_BUCKETS = 400
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Period(StrEnum):
    """The length of a bucket. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def usual(self) -> int:
        """How many buckets are shown unless asked otherwise."""
        return 30 if self is Period.DAY else 12

    @property
    def shortest(self) -> timedelta:
        """The least that a bucket can last, clock changes aside."""
        return timedelta(days={Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 28}[self])


class StatisticsQuery(BaseModel):
    """Query parameters of statistics."""

    period: Annotated[Period, Field(description="Length of a bucket: day, week (from Monday), month")] = Period.DAY
    start: Annotated[
        Moment | None,
        Field(alias="from", description="Moments at this time or later; 30 days, 12 weeks or 12 months unless given"),
    ] = None
    end: Annotated[Moment | None, Field(alias="to", description="Moments before this time; now unless given")] = None
    timezone: Annotated[
        str | None,
        StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$"),
        Field(description="IANA name, for where days begin; your own unless given"),
    ] = None

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ValueError, KeyError, OSError):
                raise ValueError("is no IANA timezone") from None
        return name

    @field_validator("start", "end")
    @classmethod
    def _in_reach(cls, moment: datetime | None) -> datetime | None:
        if moment is not None and not _FIRST <= moment <= _LAST:
            raise ValueError("must lie between the years 1900 and 2200")
        return moment

    @model_validator(mode="after")
    def _in_order(self) -> "StatisticsQuery":
        if self.start is not None:
            if self.start >= self.finish:
                raise ValueError("`from` must come before `to`")
            if (self.finish - self.start) / self.period.shortest > MAX_BUCKETS + 1:
                raise ValueError(f"this would be more than {MAX_BUCKETS} buckets")
        return self

    @property
    def finish(self) -> datetime:
        """Where the last bucket ends."""
        return self.end or now()
