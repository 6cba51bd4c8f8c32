"""What balances can be asked for, and the days that this means. Days are those of UTC, as the balances are kept."""

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from grove.core.clock import now
from grove_provider_sync.accounts.parameters import Day

MAX_POINTS = 366
_DAY = timedelta(days=1)
_FIRST, _LAST = date(1900, 1, 1), date(2200, 1, 1)


class Interval(StrEnum):
    """How far points lie apart. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def usual(self) -> timedelta:
        """How much is shown unless asked otherwise: 30 points, 12, 12."""
        return timedelta(days={Interval.DAY: 30, Interval.WEEK: 84, Interval.MONTH: 365}[self])

    @property
    def longest(self) -> timedelta:
        """The most that a step can last."""
        return timedelta(days={Interval.DAY: 1, Interval.WEEK: 7, Interval.MONTH: 31}[self])

    def end(self, day: date) -> date:
        """The last day of the step that the day is in."""
        if self is Interval.DAY:
            return day
        if self is Interval.WEEK:
            return day + timedelta(days=6 - day.weekday())
        return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - _DAY


class BalancesQuery(BaseModel):
    """Query parameters of balances."""

    interval: Annotated[
        Interval, Field(description="day, week (until Sunday), month: a point for the last day of each")
    ] = Interval.DAY
    date_from: Annotated[
        Day | None, Field(description="The first day; 30 days, 12 weeks or a year before the end unless given")
    ] = None
    date_to: Annotated[Day | None, Field(description="Before this day; tomorrow unless given")] = None

    @model_validator(mode="after")
    def _is_a_range(self) -> "BalancesQuery":
        if not all(_FIRST <= day <= _LAST for day in (self.date_from, self.date_to) if day is not None):
            raise ValueError("days must lie between the years 1900 and 2200")
        if self.start >= self.stop:
            raise ValueError("`date_from` must come before `date_to`, which is not in the range any more")
        if (self.stop - self.start) / self.interval.longest > MAX_POINTS or len(self._steps()) > MAX_POINTS:
            raise ValueError(f"this would be more than {MAX_POINTS} points")
        return self

    @property
    def start(self) -> date:
        """The first day."""
        return self.date_from or self.stop - self.interval.usual

    @property
    def stop(self) -> date:
        """The day behind the last one."""
        return self.date_to or now().date() + _DAY

    def days(self) -> list[date]:
        """The days of the points, in order. Steps that are cut off end with the range, or today."""
        today = now().date()
        return [min(end, today) for begin, end in self._steps() if begin <= today]

    def _steps(self) -> list[tuple[date, date]]:
        """First and last day of each step."""
        steps, day = [], self.start
        while day < self.stop:
            end = min(self.interval.end(day), self.stop - _DAY)
            steps.append((day, end))
            day = end + _DAY
        return steps
