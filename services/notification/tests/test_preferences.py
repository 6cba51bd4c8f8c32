"""Preferences: what they mean at a moment, and their routes."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from grove.core.ids import new_id
from grove_notification.preferences.rules import Choice, QuietHours
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
        (WANTED | {"types": {"NOPE": WANTED["types"]["TASK_CREATED"]}}, "NOPE is not a type"),
        (
            WANTED | {"types": {"PASSWORD_CHANGED": {"in_app": True, "email": False, "webhook": True}}},
            "can't be switched off",
        ),
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
async def test_scopes(client, issuer):
    reader = issuer.headers(scope="notifications:read")
    assert (await client.get(URL, headers=reader)).status_code == 200
    assert (await client.put(URL, json=WANTED, headers=reader)).status_code == 403
    assert (await client.get(URL, headers=issuer.headers(scope="tasks:read"))).status_code == 403
    assert (await client.get(URL)).status_code == 401
