"""When a recurring task is due next. Pure, and bounded in time: a rule that never happens is given up after a while.

python-dateutil is not asked for this: it looks for the next occurrence up to the year 9999, which takes it many
seconds for a rule such as 30 February, and can't be stopped. The tests hold the two against each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from grove_resource.tasks.recurrence_days import Chosen
from grove_resource.tasks.recurrence_rule import Frequency, Rule, RuleRefused

PERIODS = {Frequency.DAILY: 14_640, Frequency.WEEKLY: 600, Frequency.MONTHLY: 481, Frequency.YEARLY: 41}
"""How many periods are looked through for an occurrence. With INTERVAL=1 that is 40 years (weeks: 11), enough for what
is rare but happens: a 29 February that is a Monday.
"""
_LAST_DAY = date.max.toordinal()
_LARGEST_SHIFT_DAYS = 2
"""A local time that a clock change skips comes later; islands have skipped a whole day."""


@dataclass(frozen=True, slots=True)
class Next:
    """The occurrence that follows, and the rule that is left from then on."""

    due_at: datetime
    rule: Rule


def zone(name: str | None) -> tzinfo:
    """The timezone of that name, UTC for one that is not known."""
    try:
        return ZoneInfo(name) if name else UTC
    except (OSError, ValueError, LookupError):  # ZoneInfoNotFoundError is a LookupError
        return UTC


def following(rule: Rule, due_at: datetime, now: datetime, where: tzinfo) -> Next | None:
    """The first occurrence after both `due_at` and `now`, at the local time of day of `due_at` in `where`.

    `due_at` itself is the first occurrence of the series, whether or not the rule would choose it. None when the
    series is over by COUNT or UNTIL, or has no occurrence within PERIODS.
    """
    try:
        # The time of day alone: of a time that came twice when clocks went back, not which of the two it was.
        local = due_at.astimezone(where).replace(tzinfo=None, fold=0)
        after = max(due_at, now)
        begin = local.date()
        if rule.count is None:  # occurrences in between need not be counted
            begin = max(begin, after.astimezone(where).date() - timedelta(days=_LARGEST_SHIFT_DAYS))
        last, passed = due_at, 0
        for day in _days(rule, local.date(), begin):
            moment = datetime.combine(date.fromordinal(day), local.time(), where).astimezone(UTC)
            if moment <= last:  # a day that the clock skipped is the next one
                continue
            last, passed = moment, passed + 1
            if (rule.count is not None and passed >= rule.count) or (rule.until is not None and moment > rule.until):
                return None
            if moment > after:
                return Next(moment, rule.after(passed))
    except OverflowError:  # at the ends of the calendar
        return None
    return None


def check(rule: Rule, due_at: datetime) -> None:
    """Raises RuleRefused for a rule that is over before `due_at`, or never happens after it, wherever its owner is."""
    if rule.until is not None and rule.until < due_at:
        raise RuleRefused("UNTIL is before `due_at`")
    endless = replace(rule, count=None, until=None)
    utc = due_at.astimezone(UTC)
    try:
        # The owner's local date is one of these three.
        places = [utc + timedelta(days=days) for days in (0, 1, -1)]
    except OverflowError:
        places = [utc]
    if not any(following(endless, place, place, UTC) for place in places):
        raise RuleRefused("does not happen again after `due_at`, not for decades")


def _days(rule: Rule, due: date, begin: date) -> Iterator[int]:
    """The days that the rule chooses, as ordinals, in order, from the period of `begin` on."""
    chosen = Chosen(rule, due)
    first = chosen.period_of(due)
    begun = (chosen.period_of(begin) - first) // rule.interval * rule.interval
    for period in range(first + begun, first + begun + PERIODS[rule.frequency] * rule.interval, rule.interval):
        if rule.frequency is Frequency.DAILY:
            if period > _LAST_DAY:
                return
            if chosen.has(period):
                yield period
            continue
        start, end = chosen.bounds(period)
        if start > _LAST_DAY:
            return
        yield from chosen.days(max(start, 1), min(end, _LAST_DAY + 1))
