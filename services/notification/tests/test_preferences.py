"""Preferences: what they mean at a moment, and their routes."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grove.contracts.auth import UserUpdated
from grove.core.ids import new_id
from grove_notification.preferences.rules import Choice, QuietHours, next_time
from grove_notification.preferences.types import TYPES

URL = "/api/v1/notification-preferences"
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "zone", "moment", "until"),
    [
        (22, 7, BERLIN, "2026-01-10T20:59", None),
        (22, 7, BERLIN, "2026-01-10T21:00", "2026-01-11T06:00"),
        (22, 7, BERLIN, "2026-01-11T05:59", "2026-01-11T06:00"),
        (22, 7, BERLIN, "2026-01-11T06:00", None),
        (13, 15, NEW_YORK, "2026-07-01T17:30", "2026-07-01T19:00"),
        (13, 15, NEW_YORK, "2026-07-01T19:00", None),
        # Clocks go forward at 02:00 in Berlin on the 29th of March 2026, and back at 03:00 on the 25th of October.
        (22, 7, BERLIN, "2026-03-28T22:00", "2026-03-29T05:00"),
        (22, 7, BERLIN, "2026-10-24T22:00", "2026-10-25T06:00"),
        (1, 2, BERLIN, "2026-03-29T00:30", "2026-03-29T01:00"),
    ],
)
def test_quiet_hours_end_by_the_users_clock(start, end, zone, moment, until):
    ends = QuietHours(time(start), time(end)).end_of(at(moment), zone)
    assert ends == (at(until) if until else None)


def test_quiet_hours_always_end_later_and_outside_of_themselves():
    quiet = QuietHours(time(22), time(2, 30))
    for minute in range(0, 24 * 60 * 2, 7):
        moment = datetime(2026, 3, 28, tzinfo=UTC).replace(hour=0)
        moment = datetime.fromtimestamp(moment.timestamp() + minute * 60, UTC)
        until = quiet.end_of(moment, BERLIN)
        if until is not None:
            assert until > moment
            assert quiet.end_of(until, BERLIN) is None


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-10-25T00:10", "2026-10-25T00:30"),  # 02:10 for the first time
        ("2026-10-25T00:40", None),
        ("2026-10-25T01:10", "2026-10-25T01:30"),  # 02:10 for the second time
        ("2026-10-25T01:30", None),
        ("2026-03-29T00:50", "2026-03-29T01:30"),  # 01:50, ten minutes before 03:00
    ],
)
def test_quiet_hours_that_end_in_an_hour_that_comes_twice_or_never(moment, until):
    ends = QuietHours(time(22), time(2, 30)).end_of(at(moment), BERLIN)
    assert ends == (at(until) if until else None)


CHANGES = [  # zone and about when its clocks changed: by an hour, half an hour, a day; at midnight, a minute after it
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Pacific/Kwajalein", "1993-08-21T12:00"),
    ("America/Sao_Paulo", "2018-02-18T02:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),
    ("America/St_Johns", "2010-11-07T02:31"),
    ("Asia/Pyongyang", "2018-05-04T15:00"),
    ("Antarctica/Troll", "2026-03-29T01:00"),
    ("Antarctica/Troll", "2026-10-25T01:00"),
]
NEAR = st.tuples(st.sampled_from(CHANGES), st.integers(-3000, 3000)).map(
    lambda drawn: (ZoneInfo(drawn[0][0]), at(drawn[0][1]) + timedelta(minutes=drawn[1]))
)
ANYWHERE = st.tuples(
    st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
    st.integers(0, 60 * 24 * 365 * 60).map(lambda minutes: at("1975-01-01T00:00") + timedelta(minutes=minutes)),
)
CLOCK = st.builds(time, st.integers(0, 23), st.integers(0, 59))


def shown_next(moment: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """What somebody sees who looks at the wall each minute; from three days before, for what was skipped then."""
    seen, skipped = (moment - timedelta(days=3)).astimezone(zone).replace(tzinfo=None), []
    for minute in range(-3 * 24 * 60 + 1, 3 * 24 * 60):
        now = moment + timedelta(minutes=minute)
        wall = now.astimezone(zone).replace(tzinfo=None)
        expected = seen + timedelta(minutes=1)
        ahead = (timedelta(minutes=each) for each in range(int((wall - expected).total_seconds()) // 60))
        skipped += [now + each for each in ahead if (expected + each).time() == clock]
        if now > moment and (wall.time() == clock or now in skipped):
            return now
        seen = wall
    raise AssertionError("never")


@given(where=NEAR | ANYWHERE, clock=CLOCK)
@example(where=(ZoneInfo("America/St_Johns"), at("2010-11-07T02:30")), clock=time(23, 30))  # back over midnight
@settings(max_examples=150, deadline=None)
def test_what_waits_for_a_time_waits_for_the_next_one_on_the_wall(where, clock):
    zone, moment = where
    assert next_time(moment, clock, zone) == shown_next(moment, clock, zone)


@given(where=NEAR | ANYWHERE, start=CLOCK, end=CLOCK, digest_at=CLOCK)
@settings(max_examples=300, deadline=None)
def test_quiet_hours_and_digests_end_later_whatever_clocks_do(where, start, end, digest_at):
    zone, moment = where
    choice = Choice(digest="daily", digest_at=digest_at, quiet_hours=QuietHours(start, end))
    due, until = choice.digest_due(moment, zone), choice.quiet_until(moment, zone)
    assert due is not None
    assert due > moment
    assert until is None or until == next_time(moment, end, zone) > moment


def test_a_digest_is_due_after_quiet_hours():
    quiet = QuietHours(time(22), time(7))
    daily = Choice(digest="daily", digest_at=time(6), quiet_hours=quiet)
    assert daily.digest_due(at("2026-01-10T12:00"), BERLIN) == at("2026-01-11T06:00")
    hourly = Choice(digest="hourly", quiet_hours=quiet)
    assert hourly.digest_due(at("2026-01-10T12:00"), BERLIN) == at("2026-01-10T13:00")
    assert hourly.digest_due(at("2026-01-10T20:30"), BERLIN) == at("2026-01-11T06:00")
    assert Choice(digest="daily", digest_at=time(18)).digest_due(at("2026-01-10T17:00"), BERLIN) == at(
        "2026-01-11T17:00"
    )
    assert Choice().digest_due(at("2026-01-10T12:00"), BERLIN) is None


@pytest.mark.integration
async def test_who_never_chose_has_the_defaults(client, issuer):
    answer = await client.get(URL, headers=issuer.headers())
    body = answer.json()
    assert set(body["types"]) == set(TYPES)
    assert body["types"]["TASK_CREATED"] == {"in_app": True, "email": False, "webhook": True}
    assert body["types"]["TASK_REMINDER"]["email"] is True
    assert (body["quiet_hours"], body["digest"], body["timezone"]) == (None, {"frequency": "off", "at": "08:00"}, "UTC")


WANTED = {
    "types": {"TASK_CREATED": {"in_app": False, "email": True, "webhook": False}},
    "quiet_hours": {"start": "22:00", "end": "07:00"},
    "digest": {"frequency": "daily", "at": "18:30"},
}


@pytest.mark.integration
async def test_a_choice_is_kept_and_replaced_whole(client, issuer):
    me = issuer.headers(new_id())
    first = await client.get(URL, headers=me)
    kept = await client.put(URL, json=WANTED, headers=me | {"If-Match": first.headers["etag"]})
    assert kept.status_code == 200
    read = await client.get(URL, headers=me)
    assert (read.json(), read.headers["etag"]) == (kept.json(), kept.headers["etag"])
    assert read.json()["types"]["TASK_CREATED"] == WANTED["types"]["TASK_CREATED"]
    assert (read.json()["quiet_hours"], read.json()["digest"]) == (WANTED["quiet_hours"], WANTED["digest"])
    same = await client.put(URL, json=WANTED, headers=me)
    assert same.headers["etag"] == kept.headers["etag"], "nothing changed"
    assert (await client.get(URL, headers=me | {"If-None-Match": same.headers["etag"]})).status_code == 304
    stale = await client.put(URL, json=WANTED, headers=me | {"If-Match": first.headers["etag"]})
    assert stale.status_code == 412
    back = await client.put(URL, json=WANTED | {"types": {}, "quiet_hours": None}, headers=me)
    assert back.json()["types"] == first.json()["types"]
    other = await client.get(URL, headers=issuer.headers(new_id()))
    assert other.json()["digest"]["frequency"] == "off"


def without(name: str) -> dict:
    return {key: value for key, value in WANTED.items() if key != name}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (without("types"), "required"),
        (without("quiet_hours"), "required"),
        (without("digest"), "required"),
        (WANTED | {"more": 1}, "not permitted"),
        (WANTED | {"timezone": "Asia/Tokyo"}, "PATCH /api/v1/auth/me"),
        (WANTED | {"quiet_hours": {"start": "22:00", "end": "22:00"}}, "must differ"),
        (WANTED | {"quiet_hours": {"start": "22:00:30", "end": "07:00"}}, "your own clock"),
        (WANTED | {"quiet_hours": {"start": "22:00Z", "end": "07:00"}}, "your own clock"),
        (WANTED | {"digest": {"frequency": "weekly"}}, "hourly"),
    ],
)
async def test_what_is_no_choice_is_refused_and_changes_nothing(client, issuer, body, words):
    me = issuer.headers(new_id())
    before = await client.get(URL, headers=me)
    refused = await client.put(URL, json=body, headers=me)
    assert refused.status_code == 422
    assert words in str(refused.json()["error"]["details"])
    assert (await client.get(URL, headers=me)).json() == before.json()


@pytest.mark.integration
async def test_each_wrong_type_is_named_at_its_place(client, issuer):
    on, off = ({"in_app": True, "email": email, "webhook": True} for email in (True, False))
    types = {"NOPE": on, "TASK_CREATED": off, "PASSWORD_CHANGED": off, "LOGIN": {"in_app": True, "email": True}}
    answer = await client.put(URL, json=WANTED | {"types": types}, headers=issuer.headers(new_id()))
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["body.types.LOGIN.webhook"]
    types["LOGIN"] = on
    answer = await client.put(URL, json=WANTED | {"types": types}, headers=issuer.headers(new_id()))
    wrong = {detail["field"]: detail["message"] for detail in answer.json()["error"]["details"]}
    assert answer.status_code == 422
    assert wrong == {
        "body.types.NOPE": f"NOPE is not a type; they are: {', '.join(TYPES)}",
        "body.types.PASSWORD_CHANGED.email": "can't be switched off: it is about your account's safety",
    }


@pytest.mark.integration
async def test_what_was_read_can_be_written_back(client, issuer):
    me = issuer.headers(new_id())
    await client.put(URL, json=WANTED, headers=me)
    read = await client.get(URL, headers=me)
    written = await client.put(URL, json=read.json(), headers=me | {"If-Match": read.headers["etag"]})
    assert (written.status_code, written.json(), written.headers["etag"]) == (200, read.json(), read.headers["etag"])


@pytest.mark.integration
async def test_another_time_zone_is_another_version(client, issuer, happen):
    user = new_id()
    me, moved = issuer.headers(user), UserUpdated(user_id=user, locale="en", timezone="Asia/Tokyo", roles=[])
    first = await client.get(URL, headers=me)
    await happen("auth", moved)
    again = await client.get(URL, headers=me | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.json()["timezone"]) == (200, "Asia/Tokyo")
    stale = await client.put(URL, json=WANTED, headers=me | {"If-Match": first.headers["etag"]})
    assert (stale.status_code, stale.headers["etag"]) == (412, again.headers["etag"])
    kept = await client.put(URL, json=again.json(), headers=me | {"If-Match": again.headers["etag"]})
    assert kept.status_code == 200


@pytest.mark.integration
async def test_scopes(client, issuer):
    reader = issuer.headers(scope="notifications:read")
    assert (await client.get(URL, headers=reader)).status_code == 200
    assert (await client.put(URL, json=WANTED, headers=reader)).status_code == 403
    assert (await client.get(URL, headers=issuer.headers(scope="tasks:read"))).status_code == 403
    assert (await client.get(URL)).status_code == 401
