"""What is left of a walk through accounts and dates, as our cursor holds it."""

from datetime import date, timedelta
from itertools import pairwise

import pytest

from grove_provider_sync.adapters.schwab import walking
from grove_provider_sync.adapters.schwab.walking import Span, Walk
from grove_provider_sync.providers.interface import CursorRefused

TODAY = date(2026, 11, 30)
TOMORROW = date(2026, 12, 1)


def windows(walk: Walk) -> list[Span]:
    """All that a walk reads, through its cursors."""
    read = []
    while not walk.over:
        read.append(walk.next_window())
        walk = walking.read(walk.without(read[-1]).written())
    return read


def test_the_first_walk_reads_every_day_of_every_account_once_in_windows_of_sixty_days():
    read = windows(walking.begun(["a", "b"], None, TODAY, 365))
    for account in ("a", "b"):
        own = [window for window in read if window.account_id == account]
        assert (own[0].start, own[-1].end) == (date(2025, 11, 30), TOMORROW)
        assert all(earlier.end == later.start for earlier, later in pairwise(own))
        assert all(window.end - window.start <= timedelta(days=60) for window in own)
        assert len(own) == 7
    assert [window.account_id for window in read] == ["a"] * 7 + ["b"] * 7


def test_later_walks_look_back_thirty_days_and_read_new_accounts_whole():
    before = Walk(left=(), known=("a",), until=date(2026, 11, 21))
    read = windows(walking.begun(["a", "b"], before, TODAY, 100))
    assert read[0] == Span("a", date(2026, 10, 22), TOMORROW)
    assert read[1:] == [Span("b", date(2026, 8, 22), date(2026, 10, 21)), Span("b", date(2026, 10, 21), TOMORROW)]


def test_after_a_long_rest_nothing_is_left_out_and_history_has_its_end():
    rested = Walk(left=(), known=("a",), until=date(2026, 6, 1))
    assert windows(walking.begun(["a"], rested, TODAY, 365))[0].start == date(2026, 5, 2)
    assert windows(walking.begun(["a"], rested, TODAY, 100))[0].start == date(2026, 8, 22)
    ahead = Walk(left=(), known=("a",), until=date(2027, 6, 1))
    assert windows(walking.begun(["a"], ahead, TODAY, 365)) == [Span("a", date(2026, 11, 1), TOMORROW)]


def test_an_account_that_is_not_there_is_read_whole_should_it_come_again():
    walk = walking.begun(["a", "b"], None, TODAY, 365)
    left = walk.without(walk.next_window()).without_account("a")
    assert {span.account_id for span in left.left} == {"b"}
    assert (left.known, left.until) == (("b",), TOMORROW)
    assert walking.begun([], None, TODAY, 365).over


@pytest.mark.parametrize("cursor", ["", "{}", "x", "[]", '{"left": [["a", "b"]], "known": [], "until": "2026-12-01"}'])
def test_a_cursor_that_is_none_of_ours_is_refused(cursor):
    with pytest.raises(CursorRefused):
        walking.read(cursor)
