"""Local times of day on the days on which clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from grove_resource.tasks.recurrence import following
from grove_resource.tasks.recurrence_rule import parse

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("fold", [0, 1])
def test_which_of_two_equal_times_it_was_does_not_count_later(fold):
    due = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    done = datetime(2027, 3, 27, 12, tzinfo=BERLIN)
    found = following(parse("FREQ=DAILY"), due.astimezone(UTC), done.astimezone(UTC), BERLIN)
    assert found.due_at.astimezone(BERLIN).isoformat() == "2027-03-28T03:30:00+02:00"


def test_the_second_of_two_equal_times_is_followed_by_the_next_day():
    due = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1).astimezone(UTC)
    found = following(parse("FREQ=DAILY"), due, due, BERLIN)
    assert found.due_at.astimezone(BERLIN).isoformat() == "2026-10-26T02:30:00+01:00"


def test_a_series_that_was_moved_by_a_skipped_time_stays_there():
    due = datetime(2027, 3, 27, 2, 30, tzinfo=BERLIN).astimezone(UTC)
    moved = following(parse("FREQ=DAILY"), due, due, BERLIN).due_at
    after = following(parse("FREQ=DAILY"), moved, moved, BERLIN).due_at
    assert [each.astimezone(BERLIN).hour for each in (moved, after)] == [3, 3]
