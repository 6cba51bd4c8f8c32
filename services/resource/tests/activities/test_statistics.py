"""Statistics over time, and the activities used last."""

import json
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from grove.core.clock import now
from grove.core.ids import new_id
from grove.postgres.reads import Reads

pytestmark = pytest.mark.integration
ACTIVITIES, MOMENTS = "/api/v1/activities", "/api/v1/moments"
RUN = {
    "type": "object",
    "properties": {
        "km": {"type": "number"},
        "laps": {"type": ["integer", "null"]},
        "note": {"type": "string"},
        "body": {
            "type": "object",
            "properties": {"heart": {"type": "object", "properties": {"rate": {"type": "integer"}}}},
        },
        "a.b": {"type": "number"},
        "deep": {"properties": {"deeper": {"properties": {"deepest": {"properties": {"n": {"type": "number"}}}}}}},
    },
}


@pytest.fixture
def statistics(client, me):
    async def statistics(activity, **query):
        answer = await client.get(f"{ACTIVITIES}/{activity['id']}/statistics", params=query, headers=me)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.text, parse_float=Decimal)

    return statistics


async def test_numbers_are_summed_by_day_and_empty_days_are_there(define, log, statistics):
    activity = await define(RUN)
    for data, occurred_at in (
        ({"km": 0.1, "laps": 3, "body": {"heart": {"rate": 120}}}, "2026-03-01T08:00:00Z"),
        ({"km": 0.2, "laps": None, "a.b": 5, "note": "x"}, "2026-03-01T23:59:59.999999Z"),
        ({"km": 10}, "2026-03-03T00:00:00Z"),
        ({"km": 99}, "2026-03-04T00:00:00Z"),
    ):
        await log(activity, data, occurred_at)
    query = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-04T00:00:00Z", "period": "day", "timezone": "UTC"}
    answer = await statistics(activity, **query)
    assert list(answer) == ["activity_id", "period", "from", "to", "timezone", "buckets"]
    assert {name: answer[name] for name in query} == query
    assert [(b["start"], b["count"]) for b in answer["buckets"]] == [
        ("2026-03-01T00:00:00Z", 2),
        ("2026-03-02T00:00:00Z", 0),
        ("2026-03-03T00:00:00Z", 1),
    ]
    none = {"count": 0, "sum": 0, "min": None, "avg": None, "max": None}
    assert list(answer["buckets"][0]["fields"]) == ["km", "laps", "body.heart.rate"]
    assert answer["buckets"][0]["fields"] == {
        "km": {
            "count": 2,
            "sum": Decimal("0.3"),
            "min": Decimal("0.1"),
            "avg": Decimal("0.15"),
            "max": Decimal("0.2"),
        },
        "laps": {"count": 1, "sum": 3, "min": 3, "avg": 3, "max": 3},
        "body.heart.rate": {"count": 1, "sum": 120, "min": 120, "avg": 120, "max": 120},
    }
    assert answer["buckets"][1]["fields"] == dict.fromkeys(["km", "laps", "body.heart.rate"], none)
    thirds = await statistics(activity, **query | {"to": "2026-03-03T00:00:01Z", "period": "month"})
    assert thirds["buckets"][0]["fields"]["km"]["avg"] == Decimal("3.433333333333")


async def test_days_begin_where_the_user_is(client, me, define, log, statistics, resources):
    activity = await define({"type": "object"})
    # In Berlin the clocks go forward on 29 March 2026: that day has 23 hours.
    for occurred_at in ("2026-03-28T22:59:00Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:00Z", "2026-03-29T22:00:00Z"):
        await log(activity, {"x": 1}, occurred_at)
    query = {"from": "2026-03-28T00:00:00+01:00", "to": "2026-03-31T00:00:00+02:00"}
    days = (await statistics(activity, **query, timezone="Europe/Berlin"))["buckets"]
    assert [(day["start"], day["count"]) for day in days] == [
        ("2026-03-27T23:00:00Z", 1),
        ("2026-03-28T23:00:00Z", 2),
        ("2026-03-29T22:00:00Z", 1),
    ]
    assert (await statistics(activity, **query))["timezone"] == "UTC"
    activity_id = activity["id"]
    for zone, told in (("Europe/Berlin", "Europe/Berlin"), ("Mars/Olympus", "UTC")):
        async with resources.engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO users (id, locale, timezone, sequence, updated_at) "
                    "SELECT user_id, 'en', :zone, 1, now() FROM activities WHERE id = :id "
                    "ON CONFLICT (id) DO UPDATE SET timezone = :zone"
                ),
                {"zone": zone, "id": activity_id},
            )
        assert (await statistics(activity, **query))["timezone"] == told


@pytest.mark.parametrize(("period", "buckets"), [("day", 30), ("week", 12), ("month", 12)])
async def test_the_usual_span_ends_now(define, log, statistics, period, buckets):
    activity = await define({"type": "object"})
    await log(activity, {"x": 1}, now().isoformat())
    answer = await statistics(activity, period=period, timezone="Asia/Kolkata")
    starts = [
        datetime.fromisoformat(bucket["start"]).astimezone(ZoneInfo("Asia/Kolkata")) for bucket in answer["buckets"]
    ]
    assert len(starts) == buckets
    assert all((start.hour, start.minute) == (0, 0) for start in starts)
    assert answer["buckets"][-1]["count"] == 1
    assert answer["from"] == answer["buckets"][0]["start"]
    if period == "week":
        assert {start.isoweekday() for start in starts} == {1}


async def test_huge_numbers_are_exact(define, log, statistics):
    activity = await define({"type": "object", "properties": {"n": {"type": "number"}}})
    for value in (10**300, 1, 1e-300):
        await log(activity, {"n": value})
    answer = await statistics(activity, **{"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"})
    assert answer["buckets"][0]["fields"]["n"]["sum"] == Decimal("1" + "0" * 299 + "1." + "0" * 299 + "1")


async def test_20_fields_are_the_most_and_old_versions_with_text_do_no_harm(client, me, define, log, statistics):
    activity = await define({"type": "object"})
    await log(activity, {"f00": "text", "f01": [1], "f02": 7})
    fields = {"type": "object", "properties": {f"f{i:02}": {"type": "number"} for i in range(30)}}
    await client.patch(f"{ACTIVITIES}/{activity['id']}", json={"data_schema": fields}, headers=me)
    [bucket] = (await statistics(activity, **{"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}))["buckets"]
    assert list(bucket["fields"]) == [f"f{i:02}" for i in range(20)]
    assert [bucket["fields"][f"f0{i}"]["count"] for i in range(3)] == [0, 0, 1]


@pytest.mark.parametrize(
    "query",
    [
        "period=year",
        "timezone=Mars/Olympus",
        "timezone=../etc/passwd",
        "timezone=UTC%00",
        "timezone=America",
        "from=2026-01-01",
        "from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z",
        "from=2999-01-01T00:00:00Z",
        "from=0001-01-01T00:00:00%2B14:00",
        "from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2025-01-01T00:00:00Z&to=2026-02-05T00:00:01Z",
        "from=1950-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&period=month",
    ],
)
async def test_bad_queries_are_a_422(client, me, define, query):
    url = f"{ACTIVITIES}/{(await define())['id']}/statistics?{query}"
    answer = await client.get(url, headers=me)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR"), answer.text


async def test_400_buckets_are_answered_in_one_statement(client, me, define, statistics, monkeypatch):
    activity = await define(RUN)
    asked, run = [], Reads._running
    monkeypatch.setattr(Reads, "_running", lambda self, statement: asked.append(statement.text) or run(self, statement))
    query = {"from": "2025-01-01T00:00:00Z", "to": "2026-02-05T00:00:00Z"}
    assert len((await statistics(activity, **query))["buckets"]) == 400
    assert len(asked) == 1


async def test_recent_activities_change_with_each_write_and_are_kept_between(client, me, define, log, monkeypatch):
    one, two, _unused = [await define(name=name) for name in ("one", "two", "unused")]
    recent = f"{ACTIVITIES}/recent"
    assert (await client.get(recent, headers=me)).json() == {"items": []}
    await log(one, occurred_at=(now() - timedelta(days=8)).isoformat())
    newer = await log(two, occurred_at="2026-01-01T00:00:00Z")
    items = (await client.get(recent, headers=me)).json()["items"]
    assert [item["activity"] for item in items] == [one, two]
    assert [item["moments_last_7_days"] for item in items] == [0, 0]
    assert items[1]["last_occurred_at"].startswith("2026-01-01T00:00:00")
    asked, run = [], Reads._running
    monkeypatch.setattr(Reads, "_running", lambda self, statement: asked.append(statement.text) or run(self, statement))
    assert (await client.get(f"{recent}?size=1", headers=me)).json()["items"] == items[:1]
    assert asked == []
    await client.patch(f"{MOMENTS}/{newer['id']}", json={"occurred_at": now().isoformat()}, headers=me)
    items = (await client.get(recent, headers=me)).json()["items"]
    assert [(item["activity"]["name"], item["moments_last_7_days"]) for item in items] == [("two", 1), ("one", 0)]
    assert len(asked) == 1
    await client.patch(f"{ACTIVITIES}/{one['id']}", json={"name": "uno"}, headers=me)
    assert (await client.get(recent, headers=me)).json()["items"][1]["activity"]["name"] == "uno"
    await client.delete(f"{MOMENTS}/{newer['id']}", headers=me)
    await client.delete(f"{ACTIVITIES}/{one['id']}", headers=me)
    assert (await client.get(recent, headers=me)).json() == {"items": []}
    assert (await client.get(f"{recent}?size=21", headers=me)).status_code == 422


async def test_recent_is_another_for_another_user_and_works_without_valkey(
    client, me, define, log, issuer, resources, monkeypatch
):
    await log(await define())
    stranger = issuer.headers(new_id())
    assert (await client.get(f"{ACTIVITIES}/recent", headers=stranger)).json() == {"items": []}

    async def away(*_args, **_kwargs):
        raise ConnectionError("gone")

    monkeypatch.setattr(resources.recent_activities._valkey, "mget", away)
    monkeypatch.setattr(resources.recent_activities._valkey, "set", away)
    for _ in range(2):
        answer = await client.get(f"{ACTIVITIES}/recent", headers=me)
        assert (answer.status_code, len(answer.json()["items"])) == (200, 1)


async def test_100_000_moments_are_no_burden(client, me, define, resources, statistics):
    activities = [await define(RUN) for _ in range(5)]
    log_many = text(
        "INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at) "
        "SELECT gen_random_uuid(), user_id, id, 1, now() - n * interval '20 minutes', "
        "jsonb_build_object('km', n % 40, 'laps', n % 3), now(), now() "
        "FROM activities, generate_series(1, 20000) n WHERE id = :id"
    )
    async with resources.engine.begin() as connection:
        for activity in activities:
            await connection.execute(log_many, {"id": activity["id"]})
        await connection.execute(text("ANALYZE moments"))
    started = time.perf_counter()
    items = (await client.get(f"{ACTIVITIES}/recent", headers=me)).json()["items"]
    took = time.perf_counter() - started
    assert [item["moments_last_7_days"] for item in items] == [503] * 5
    assert took < 0.25
    started = time.perf_counter()
    answer = await statistics(activities[0], **{"from": "2026-01-01T00:00:00Z", "timezone": "UTC"})
    assert sum(bucket["count"] for bucket in answer["buckets"]) == 20_000
    assert time.perf_counter() - started < 2
    assert datetime.fromisoformat(answer["to"]).tzinfo == UTC
