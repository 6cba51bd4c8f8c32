"""RFC 5545 recurrence rules as far as tasks have them: days only, the due time decides the hour."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

MAX_LENGTH = 500
MAX_INTERVAL = 1000
MAX_COUNT = 1000
MAX_LIST = 60

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

Part = Literal["BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"]
_HIGHEST: Mapping[Part, int] = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_HIGHEST}
_OF_THE_TIME = {"BYHOUR", "BYMINUTE", "BYSECOND"}
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}", re.ASCII)
_UNTIL = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)


class Frequency(StrEnum):
    """The period of a rule; INTERVAL counts in it."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


_LONGEST = {Frequency.DAILY: 1, Frequency.WEEKLY: 7, Frequency.MONTHLY: 31, Frequency.YEARLY: 366}
"""Days of the longest period."""


class RuleRefused(ValueError):
    """The text is no rule that tasks take; the message says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule. Empty lists and None: the part is not there; weekdays count from 0, Monday."""

    frequency: Frequency
    interval: int
    count: int | None
    until: datetime | None
    week_start: int
    months: frozenset[int]
    month_days: frozenset[int]
    year_days: frozenset[int]
    weeks: frozenset[int]
    positions: frozenset[int]
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]
    """(n, weekday): the n-th such day of the month or year, from its end when negative."""
    parts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """The text, without the prefix, in upper case."""
        return ";".join(f"{name}={value}" for name, value in self.parts)

    def after(self, passed: int) -> "Rule":
        """The rule that is left when `passed` occurrences are over: COUNT is less by them."""
        if self.count is None:
            return self
        left = self.count - passed
        parts = tuple((name, str(left) if name == "COUNT" else value) for name, value in self.parts)
        return replace(self, count=left, parts=parts)


def parse(text: str) -> Rule:
    """The rule of a text, in any case and with or without `RRULE:`. Raises RuleRefused."""
    if len(text) > MAX_LENGTH:
        raise RuleRefused(f"must have {MAX_LENGTH} characters at most")
    parts = _parts(text.strip().upper().removeprefix("RRULE:"))
    if parts.get("FREQ") not in set(Frequency):
        raise RuleRefused(f"FREQ must be one of {', '.join(Frequency)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleRefused("COUNT and UNTIL can't be used together")
    lists = {name: _numbers(name, parts[name], highest) for name, highest in _HIGHEST.items() if name in parts}
    days = _days(parts["BYDAY"]) if "BYDAY" in parts else []
    rule = Rule(
        frequency=Frequency(parts["FREQ"]),
        interval=_within("INTERVAL", parts.get("INTERVAL", "1"), MAX_INTERVAL),
        count=_within("COUNT", parts["COUNT"], MAX_COUNT) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        week_start=_week_start(parts.get("WKST", "MO")),
        months=lists.get("BYMONTH", frozenset()),
        month_days=lists.get("BYMONTHDAY", frozenset()),
        year_days=lists.get("BYYEARDAY", frozenset()),
        weeks=lists.get("BYWEEKNO", frozenset()),
        positions=lists.get("BYSETPOS", frozenset()),
        weekdays=frozenset(day for n, day in days if n is None),
        nth_weekdays=frozenset((n, day) for n, day in days if n is not None),
        parts=tuple(parts.items()),
    )
    _check_together(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name in _OF_THE_TIME:
            raise RuleRefused(f"{name} is not taken: the due date's time decides")
        if name not in _KNOWN:
            raise RuleRefused(f"{name[:20]!r} is not a part that a task's rule can have")
        if name in parts:
            raise RuleRefused(f"{name} may be there once")
        parts[name] = value
    return parts


def _within(name: str, value: str, highest: int) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 4 or not 1 <= int(value) <= highest:
        raise RuleRefused(f"{name} must be a number from 1 to {highest}")
    return int(value)


def _until(value: str) -> datetime:
    try:
        if not _UNTIL.fullmatch(value):
            raise ValueError
        return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise RuleRefused("UNTIL must be a time in UTC, such as 20301231T235959Z") from None


def _week_start(value: str) -> int:
    if value not in DAYS:
        raise RuleRefused("WKST must be a day of the week, such as MO")
    return DAYS.index(value)


def _listed(name: str, value: str) -> list[str]:
    items = value.split(",")
    if len(items) > MAX_LIST:
        raise RuleRefused(f"{name} may have {MAX_LIST} values at most")
    return items


def _numbers(name: Part, value: str, highest: int) -> frozenset[int]:
    found = set()
    for item in _listed(name, value):
        number = int(item) if _NUMBER.fullmatch(item) else 0
        if not 1 <= abs(number) <= highest or (name == "BYMONTH" and number < 0):
            lowest = "1" if name == "BYMONTH" else f"±1 to ±{highest}, or 1"
            raise RuleRefused(f"{name} must have numbers from {lowest} to {highest}")
        found.add(number)
    return frozenset(found)


def _days(value: str) -> list[tuple[int | None, int]]:
    found: list[tuple[int | None, int]] = []
    for item in _listed("BYDAY", value):
        match = _DAY.fullmatch(item)
        if match is None or (match[1] and not 1 <= abs(int(match[1])) <= 53):
            raise RuleRefused("BYDAY must have days such as MO or, in a month or year, 1MO or -1FR")
        found.append((int(match[1]) if match[1] else None, DAYS.index(match[2])))
    return found


def _check_together(rule: Rule) -> None:
    """What RFC 5545 section 3.3.10 forbids to combine. Raises RuleRefused."""
    frequency = rule.frequency
    if rule.nth_weekdays and (frequency not in {Frequency.MONTHLY, Frequency.YEARLY} or rule.weeks):
        raise RuleRefused("numbered days in BYDAY need FREQ=MONTHLY, or YEARLY without BYWEEKNO")
    if rule.month_days and frequency is Frequency.WEEKLY:
        raise RuleRefused("BYMONTHDAY can't be used with FREQ=WEEKLY")
    if rule.year_days and frequency is not Frequency.YEARLY:
        raise RuleRefused("BYYEARDAY needs FREQ=YEARLY")
    if rule.weeks and frequency is not Frequency.YEARLY:
        raise RuleRefused("BYWEEKNO needs FREQ=YEARLY")
    by_day = rule.months or rule.month_days or rule.year_days or rule.weeks or rule.weekdays or rule.nth_weekdays
    if rule.positions and not by_day:
        raise RuleRefused("BYSETPOS needs another BY part")
    if any(abs(position) > _LONGEST[frequency] for position in rule.positions):
        raise RuleRefused(f"BYSETPOS can be ±{_LONGEST[frequency]} at most with FREQ={frequency}")
