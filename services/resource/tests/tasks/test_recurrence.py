"""When a recurring task is due next: held against python-dateutil, and against the rules of RFC 5545."""

import contextlib
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grove_resource.tasks.recurrence import check, following, zone
from grove_resource.tasks.recurrence_rule import RuleRefused, parse

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")
DUE = datetime(2030, 1, 15, 9, tzinfo=UTC)
MOST_CALLS = 200_000
"""python-dateutil makes millions for a 30 February."""


def calls(work) -> int:
    """How many functions the work calls: the same on any machine, as its seconds are not."""
    count = 0

    def counted(_frame, event, _function) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def numbers(highest: int, most: int = 4):
    one = st.integers(1, highest).flatmap(lambda n: st.sampled_from([n, -n]))
    return st.lists(one, min_size=1, max_size=most).map(lambda found: ",".join(map(str, found)))


def days(nth: bool = False):
    names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    found = [f"{n}{name}" for n in (1, 2, 4, 5, -1, -2) for name in names] if nth else names
    return st.lists(st.sampled_from(found), min_size=1, max_size=4, unique=True).map(",".join)


MONTHS = st.lists(st.integers(1, 12), min_size=1, max_size=4).map(lambda found: ",".join(map(str, found)))
PARTS = {
    "DAILY": {"BYMONTH": MONTHS, "BYMONTHDAY": numbers(31), "BYDAY": days()},
    "WEEKLY": {"BYMONTH": MONTHS, "BYDAY": days()},
    "MONTHLY": {"BYMONTH": MONTHS, "BYMONTHDAY": numbers(31), "BYDAY": days() | days(nth=True)},
    "YEARLY": {
        "BYMONTH": MONTHS,
        "BYMONTHDAY": numbers(31),
        "BYYEARDAY": numbers(366),
        "BYDAY": days() | days(nth=True),
    },
}


@st.composite
def rules(draw):
    frequency = draw(st.sampled_from(sorted(PARTS)))
    kinds = PARTS[frequency]
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), unique=True))
    parts = [f"FREQ={frequency}", *(f"{name}={draw(kinds[name])}" for name in chosen)]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 12))}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(['MO', 'SU', 'WE']))}")
    if chosen and frequency in {"MONTHLY", "YEARLY"} and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(numbers(3, 2))}")
    return ";".join(parts)


# Of this lifetime, and of whole seconds: python-dateutil knows no smaller ones.
MOMENTS = st.integers(631_152_000, 2_840_140_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(rules(), MOMENTS, st.timedeltas(timedelta(days=-900), timedelta(days=900)), st.sampled_from(ZONES))
@settings(max_examples=600, deadline=None)
def test_the_next_one_is_in_the_series_of_the_first_and_keeps_its_time_of_day(text, due, later, name):
    where, now = ZoneInfo(name), due + later
    found = following(parse(text), due, now, where)
    assume(found)
    assert found.due_at > max(due, now)
    assert str(found.rule) == text
    first = due.astimezone(where).replace(tzinfo=None)
    local = found.due_at.astimezone(where).replace(tzinfo=None)
    series = rrulestr(text, dtstart=first)
    assert in_utc(series.before(local, inc=True), where) == found.due_at  # later, where the clock skips that time
    after = max(due, now).astimezone(where).replace(tzinfo=None)
    left_out = series.between(after + timedelta(hours=2), local)  # clocks change by less, but once by a day
    assert {in_utc(day, where) for day in left_out} <= {found.due_at}


def in_utc(local, where):
    return local.replace(tzinfo=where).astimezone(UTC)


@given(rules(), MOMENTS, st.integers(1, 8), st.sampled_from(ZONES))
@settings(max_examples=150, deadline=None)
def test_a_chain_stays_in_the_series_and_count_runs_out_exactly(text, due, count, name):
    where = ZoneInfo(name)
    endless, counted = [due], [due]
    rule = parse(f"{text};COUNT={count}")
    while step := following(rule, counted[-1], counted[-1], where):
        counted.append(step.due_at)
        rule = step.rule
    plain = parse(text)
    for _ in range(count - 1):
        step = following(plain, endless[-1], endless[-1], where)
        if step is None:
            break
        endless.append(step.due_at)
    assert counted == endless
    first = due.astimezone(where).replace(tzinfo=None)
    series = list(islice(rrulestr(text, dtstart=first).xafter(first), len(endless) - 1))
    moments = [in_utc(day, where) for day in series]
    # From a time that the clock skipped, the chain goes on at the later one, which the owner sees and can change.
    assume([moment.astimezone(where).replace(tzinfo=None) for moment in moments] == series)
    assert endless[1:] == moments


@given(st.integers(1, 30), st.integers(0, 40))
def test_count_is_less_by_what_passed_while_the_task_was_late(count, late):
    rule = parse(f"FREQ=DAILY;COUNT={count}")
    found = following(rule, DUE, DUE + timedelta(days=late), UTC)
    passed = late + 1
    if passed >= count:
        assert found is None
    else:
        assert (found.due_at, found.rule.count) == (DUE + timedelta(days=passed), count - passed)


@pytest.mark.parametrize(("until", "expected"), [("20300122T090000Z", True), ("20300122T085959Z", False)])
def test_until_is_the_last_moment(until, expected):
    assert bool(following(parse(f"FREQ=WEEKLY;UNTIL={until}"), DUE, DUE, UTC)) is expected


def test_nine_in_the_morning_stays_so_over_the_change_of_clocks():
    where = ZoneInfo("Europe/Berlin")
    due = datetime(2030, 3, 30, 9, tzinfo=where)
    found = following(parse("FREQ=DAILY"), due, due, where).due_at
    assert found == datetime(2030, 3, 31, 9, tzinfo=where)
    assert found.astimezone(UTC) - due.astimezone(UTC) == timedelta(hours=23)
    gap = following(parse("FREQ=DAILY"), due.replace(hour=2, minute=30), due, where).due_at
    assert gap.astimezone(where).isoformat() == "2030-03-31T03:30:00+02:00"


@pytest.mark.parametrize(
    ("rule", "due", "expected"),
    [
        ("FREQ=MONTHLY", "2030-01-31", "2030-03-31"),
        ("FREQ=YEARLY", "2028-02-29", "2032-02-29"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", "2030-05-01", "2030-12-30"),
        ("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU", "2030-05-01", "2030-12-29"),
        ("FREQ=YEARLY;BYWEEKNO=20", "2030-05-01", "2030-05-15"),
        ("FREQ=MONTHLY;BYDAY=MO,1TU", "2030-05-06", "2030-05-07"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", "2030-05-08", "2030-05-15"),
        ("FREQ=YEARLY;BYDAY=20MO", "2030-01-01", "2030-05-20"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2030-05-31", "2030-06-28"),
    ],
)
def test_what_is_easily_wrong(rule, due, expected):
    start = datetime.fromisoformat(f"{due}T12:00:00Z")
    assert following(parse(rule), start, start, UTC).due_at == datetime.fromisoformat(f"{expected}T12:00:00Z")


def refuse(rule, due) -> None:
    with pytest.raises(RuleRefused):
        check(rule, due)


HOSTILE = [
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2,4,6,9,11;BYMONTHDAY=31",
    "FREQ=DAILY;BYMONTH=2,4,6,9,11;BYMONTHDAY=-31",
    "FREQ=DAILY;INTERVAL=7;BYDAY=MO,TU,WE,FR,SA,SU;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;INTERVAL=1000;BYMONTHDAY=30;BYMONTH=2",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=7",
    "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
    "FREQ=MONTHLY;BYDAY=" + ",".join(f"{n}{day}" for n in range(6, 14) for day in ("MO", "TU", "WE", "TH", "FR")),
    "FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2",
    "FREQ=YEARLY;BYDAY=53MO,-53TU,53WE,53TH,53FR,53SA,53SU;BYSETPOS=300",
    "FREQ=YEARLY;BYYEARDAY=" + ",".join(map(str, range(300, 360))) + ";BYDAY=MO,TU,WE,TH,FR,SA,SU;BYWEEKNO=1",
    "FREQ=YEARLY;BYWEEKNO=1,2,3;BYYEARDAY=300,301",
    "FREQ=YEARLY;INTERVAL=1000;BYMONTHDAY=30;BYMONTH=2",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_never_happens_is_refused_after_bounded_work(text):
    rule = parse(text)
    for due in (DUE, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        assert calls(lambda due=due: refuse(rule, due)) < MOST_CALLS


@given(rules(), st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)), st.sampled_from(ZONES))
@settings(max_examples=300, deadline=None)
def test_any_rule_is_bounded_work_at_any_time(text, due, now, name):
    where = ZoneInfo(name)
    for rule in (parse(text), parse(f"{text};COUNT=1000")):
        assert calls(lambda rule=rule: following(rule, due, now, where)) < MOST_CALLS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "WEEKLY",
        "FREQ=HOURLY",
        "FREQ=WEEKLY;FREQ=DAILY",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;BYEASTER=1",
        "FREQ=DAILY;X-ODD=1",
        "FREQ=DAILY;",
        "FREQ=DAILY\nEXDATE:20300101T000000Z",
        "DTSTART:20300101T000000Z\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1001",
        "FREQ=DAILY;INTERVAL=١",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=1001",
        "FREQ=DAILY;COUNT=2;UNTIL=20310101T000000Z",
        "FREQ=DAILY;UNTIL=20310101",
        "FREQ=DAILY;UNTIL=20310101T000000",
        "FREQ=DAILY;UNTIL=20311301T000000Z",
        "FREQ=DAILY;BYDAY=1MO",
        "FREQ=DAILY;BYDAY=XX",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTH=-1",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYSETPOS=1",
        "FREQ=DAILY;BYMONTH=1;BYSETPOS=2",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYYEARDAY=1",
        "FREQ=MONTHLY;BYWEEKNO=1",
        "FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO",
        "FREQ=WEEKLY;WKST=XX",
        "FREQ=YEARLY;BYYEARDAY=" + ",".join(["1"] * 61),
        "FREQ=DAILY;" * 60,
    ],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(RuleRefused):
        parse(text)


@given(st.text(max_size=100) | st.text(alphabet="FREQ=DAILYBM;,:0123456789-+NO", max_size=100))
def test_any_text_is_a_rule_or_refused(text):
    with contextlib.suppress(RuleRefused):
        assert str(parse(str(parse(text)))) == str(parse(text))


def test_a_rule_is_normalised_and_unknown_zones_are_utc():
    assert str(parse(" rrule:freq=weekly;byday=mo,Th ")) == "FREQ=WEEKLY;BYDAY=MO,TH"
    assert zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    for unknown in (None, "", "Nowhere/Land", "../etc/passwd", "a\0b", "Europe"):
        assert zone(unknown) is UTC
