"""The days of a chart's points."""

from datetime import date, timedelta

import pytest
import time_machine
from pydantic import ValidationError

from grove_provider_sync.balances.steps import MAX_POINTS, BalancesQuery

TODAY = "2026-05-20T23:30:00Z"


def days(**query: str) -> list[str]:
    with time_machine.travel(TODAY, tick=False):
        return [str(day) for day in BalancesQuery(**query).days()]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (("day", "2026-05-01", "2026-05-04"), ["2026-05-01", "2026-05-02", "2026-05-03"]),
        (("week", "2026-05-01", "2026-05-13"), ["2026-05-03", "2026-05-10", "2026-05-12"]),
        (("week", "2026-05-04", "2026-05-11"), ["2026-05-10"]),
        (("month", "2026-01-31", "2026-05-01"), ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        (("month", "2024-02-01", "2024-03-01"), ["2024-02-29"]),
        (("month", "2026-12-01", "2027-01-01"), []),
        (("day", "2026-05-19", "2026-05-25"), ["2026-05-19", "2026-05-20"]),
        (("week", "2026-05-11", "2026-06-30"), ["2026-05-17", "2026-05-20"]),
        (("month", "2026-05-01", "2026-06-01"), ["2026-05-20"]),
    ],
)
def test_a_step_ends_with_its_last_day_the_range_or_today(query, found):
    interval, date_from, date_to = query
    assert days(interval=interval, date_from=date_from, date_to=date_to) == found


def test_what_is_not_given_is_a_month_of_days_and_a_year_of_months_until_today():
    assert (len(days()), days()[-1]) == (30, "2026-05-20")
    assert days(interval="week")[-1] == "2026-05-20"
    assert (days(interval="month")[0], days(interval="month")[-1]) == ("2025-05-31", "2026-05-20")
    assert days(date_to="2026-02-01")[0] == "2026-01-02"


@pytest.mark.parametrize("interval", ["day", "week", "month"])
def test_as_many_points_as_may_be_and_one_more(interval):
    start = date(1990, 1, 1)  # a Monday
    step = {"day": lambda n: start + timedelta(n), "week": lambda n: start + timedelta(7 * n)}.get(
        interval, lambda n: date(1990 + n // 12, n % 12 + 1, 1)
    )
    asked = {"interval": interval, "date_from": str(start)}
    assert len(days(**asked, date_to=str(step(MAX_POINTS)))) == MAX_POINTS
    with pytest.raises(ValidationError, match="366 points"):
        days(**asked, date_to=str(step(MAX_POINTS) + timedelta(1)))


@pytest.mark.parametrize(
    "query",
    [
        {"date_from": "2026-05-02", "date_to": "2026-05-02"},
        {"date_from": "2026-05-03", "date_to": "2026-05-02"},
        {"date_from": "2026-05-22"},
        {"date_from": "1899-12-31", "date_to": "1900-01-02"},
        {"date_to": "9999-12-31"},
        {"date_to": "0001-01-01"},
        {"date_from": "1900-01-01", "date_to": "2200-01-01"},
        {"interval": "year"},
        {"date_from": "0"},
    ],
)
def test_what_is_no_range_is_refused(query):
    with pytest.raises(ValidationError):
        days(**query)
