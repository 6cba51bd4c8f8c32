"""Which days of a period a recurrence rule chooses (RFC 5545 section 3.3.10). Days are proleptic ordinals."""

import calendar
from collections.abc import Iterator
from datetime import date, timedelta

from grove_resource.tasks.recurrence_rule import Frequency, Rule

_BEYOND = date.max.toordinal() + 1


class Chosen:
    """A rule whose missing parts come from the first due date, as section 3.3.10 has it."""

    def __init__(self, rule: Rule, due: date) -> None:
        self._frequency = rule.frequency
        self._week_start = rule.week_start
        self._months = rule.months
        self._month_days = rule.month_days
        self._year_days = rule.year_days
        self._weeks = rule.weeks
        self._weekdays = rule.weekdays
        self._nth = rule.nth_weekdays
        self._positions = rule.positions
        by_weekday = bool(rule.weekdays or rule.nth_weekdays)
        if rule.frequency is Frequency.WEEKLY or rule.weeks:
            if not by_weekday and not rule.year_days and not rule.month_days:
                self._weekdays = frozenset({due.weekday()})
        elif rule.frequency is not Frequency.DAILY and not (by_weekday or rule.month_days or rule.year_days):
            self._month_days = frozenset({due.day})
            if rule.frequency is Frequency.YEARLY and not rule.months:
                self._months = frozenset({due.month})
        self._counts_from_end = min(self._month_days, default=0) < 0
        # "The second Monday" is one of the month, but in a year without BYMONTH one of the year.
        self._nth_of_year = rule.frequency is Frequency.YEARLY and not rule.months

    def period_of(self, day: date) -> int:
        """The number of the period that has the day."""
        if self._frequency is Frequency.DAILY:
            return day.toordinal()
        if self._frequency is Frequency.WEEKLY:
            return (day.toordinal() - 1 - self._week_start) // 7  # day 1 was a Monday
        if self._frequency is Frequency.MONTHLY:
            return day.year * 12 + day.month - 1
        return day.year

    def has(self, ordinal: int) -> bool:
        """Whether a rule with FREQ=DAILY chooses the day: there, thousands are looked at to find one."""
        day = date.fromordinal(ordinal)
        if self._months and day.month not in self._months:
            return False
        if self._month_days and day.day not in self._month_days:
            from_end = day.day - calendar.monthrange(day.year, day.month)[1] - 1
            if not self._counts_from_end or from_end not in self._month_days:
                return False
        return not self._weekdays or (ordinal - 1) % 7 in self._weekdays

    def bounds(self, period: int) -> tuple[int, int]:
        """The period's first day, and the day behind its last; both may lie outside the calendar."""
        if self._frequency is Frequency.DAILY:
            return period, period + 1
        if self._frequency is Frequency.WEEKLY:
            start = period * 7 + self._week_start + 1
            return start, start + 7
        if self._frequency is Frequency.MONTHLY:
            return _month_start(period), _month_start(period + 1)
        return _month_start(period * 12), _month_start(period * 12 + 12)

    def days(self, start: int, end: int) -> list[int]:
        """The chosen ones among the days from `start` to before `end`, which are a period."""
        found = [day for part in self._months_of(start, end) for day in part]
        if not self._positions:
            return found
        count = len(found)
        at = {position - 1 if position > 0 else count + position for position in self._positions}
        return [found[index] for index in sorted(at) if 0 <= index < count]

    def _months_of(self, start: int, end: int) -> Iterator[list[int]]:
        """The chosen days, month by month: a month that is not wanted costs next to nothing."""
        while start < end:
            first = date.fromordinal(start)
            month_start = start - first.day + 1
            month_end = month_start + calendar.monthrange(first.year, first.month)[1]
            if not self._months or first.month in self._months:
                yield self._of_month(first.year, month_start, month_end, range(start, min(end, month_end)))
            start = month_end

    def _of_month(self, year: int, month_start: int, month_end: int, days: range) -> list[int]:
        found: list[int] = list(days)
        if self._month_days:
            found = [
                day for day in found if day - month_start + 1 in self._month_days or day - month_end in self._month_days
            ]
        if self._year_days:
            year_start, year_end = _month_start(year * 12), _month_start(year * 12 + 12)
            found = [
                day for day in found if day - year_start + 1 in self._year_days or day - year_end in self._year_days
            ]
        if self._weekdays or self._nth:
            if self._nth_of_year:
                month_start, month_end = _month_start(year * 12), _month_start(year * 12 + 12)
            found = [day for day in found if self._is_weekday(day, month_start, month_end)]
        return [day for day in found if self._in_week(day)] if self._weeks else found

    def _is_weekday(self, day: int, start: int, end: int) -> bool:
        """Whether BYDAY has it; `start` and `end` are of the month or year in which such days are numbered."""
        weekday = (day - 1) % 7
        if weekday in self._weekdays:
            return True
        nth, nth_last = (day - start) // 7 + 1, (day - end) // 7
        return (nth, weekday) in self._nth or (nth_last, weekday) in self._nth

    def _in_week(self, ordinal: int) -> bool:
        """Whether BYWEEKNO has the day's week; a week belongs to the year that has most of its days."""
        year, number = self._week(ordinal)
        if number in self._weeks:
            return True
        weeks = self._week(_month_start(year * 12 + 11) + 27)[1]  # 28 December is always in the last one
        return number - weeks - 1 in self._weeks

    def _week(self, ordinal: int) -> tuple[int, int]:
        middle = ordinal - (ordinal - 1 - self._week_start) % 7 + 3
        if not 1 <= middle < _BEYOND:
            return 0, 0
        year = date.fromordinal(middle).year
        return year, (middle - date(year, 1, 1).toordinal()) // 7 + 1


def _month_start(months: int) -> int:
    """The first day of a month, which is given as months since the year 0; beyond the calendar, its end."""
    year, month = divmod(months, 12)
    if year > date.max.year:
        return _BEYOND
    return date(year, month + 1, 1).toordinal() if year >= 1 else 1 - timedelta(days=366).days
