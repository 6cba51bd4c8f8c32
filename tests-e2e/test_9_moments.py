"""Activities and moments through the edge: what a user defines, logs, finds and sums up."""

import asyncio
import secrets
from datetime import timedelta

import pytest

from grove.core.clock import now

RUN = {
    "type": "object",
    "properties": {"km": {"type": "number", "minimum": 0}, "route": {"type": "string", "maxLength": 100}},
    "required": ["km"],
    "additionalProperties": False,
}


@pytest.fixture
async def runs(ada):
    answer = await ada.call("POST", "/activities", json={"name": "Running", "data_schema": RUN})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def log(person, activity: dict, days_ago: int, **data):
    occurred_at = (now() - timedelta(days=days_ago)).isoformat()
    body = {"activity_id": activity["id"], "occurred_at": occurred_at, "data": data}
    return await person.call("POST", "/moments", json=body)


async def test_a_diary_of_runs(ada, bob, runs):
    answers = [await log(ada, runs, day, km=day + 0.5, route="river") for day in range(5)]
    assert {answer.status_code for answer in answers} == {201}
    refused = await log(ada, runs, 0, km="far")
    assert (refused.status_code, refused.json()["error"]["details"][0]["pointer"]) == (422, "/km")
    span = {
        "activity_id": runs["id"],
        "occurred_from": (now() - timedelta(days=30)).isoformat(),
        "occurred_to": (now() + timedelta(days=1)).isoformat(),
    }
    found = await ada.call("GET", "/moments", params=span | {"data.km.gte": "1.5", "data.km.lte": "3.5"})
    assert [item["data"]["km"] for item in found.json()["items"]] == [1.5, 2.5, 3.5]
    assert (await ada.call("GET", "/moments", params={"data.km": "0.5", "data.route": "river"})).json()["total"] == 1
    recent = (await ada.call("GET", "/activities/recent")).json()["items"]
    assert [(item["activity"]["name"], item["moments_last_7_days"]) for item in recent] == [("Running", 5)]
    statistics = (await ada.call("GET", f"/activities/{runs['id']}/statistics?timezone=UTC")).json()
    assert len(statistics["buckets"]) == 30
    assert sum(bucket["fields"]["km"]["sum"] for bucket in statistics["buckets"]) == 12.5

    path = f"/activities/{runs['id']}"
    farther = RUN | {"properties": RUN["properties"] | {"km": {"type": "number", "minimum": 1}}}
    kept = await ada.call("PATCH", f"{path}?revalidate=true", json={"data_schema": farther})
    assert (kept.status_code, kept.json()["error"]["code"]) == (409, "CONFLICT")
    assert [detail["moment_id"] for detail in kept.json()["error"]["details"]] == [answers[0].json()["id"]]
    assert (await ada.call("DELETE", f"/moments/{answers[0].json()['id']}")).status_code == 204
    moved = await ada.call("PATCH", f"{path}?revalidate=true", json={"data_schema": farther})
    assert (moved.status_code, moved.json()["version"]) == (200, 2)
    versions = (await ada.call("GET", f"{path}/versions")).json()["items"]
    assert [version["version"] for version in versions] == [2, 1]

    for method, url in (("GET", path), ("DELETE", path), ("GET", f"{path}/statistics")):
        assert (await bob.call(method, url)).status_code == 404
    assert (await ada.call("DELETE", path)).status_code == 204
    assert (await ada.call("GET", "/moments")).json()["total"] == 0


async def test_hostile_schemas_and_data_hold_nobody_up(ada, bob, runs):
    """One user sends what is costly, all the time; another's requests are answered as ever."""
    hungry = {
        "type": "object",
        "properties": {"a": {"anyOf": [{"pattern": f"[ab]*a[ab]{{{i}}}c"} for i in range(150, 190)]}},
    }
    made = await ada.call("POST", "/activities", json={"name": "Hungry", "data_schema": hungry})
    assert made.status_code == 201, made.text
    letters = f"{secrets.randbits(60_000):060000b}".translate(str.maketrans("01", "ab"))
    attacks = [asyncio.create_task(log(ada, made.json(), 0, a=letters)) for _ in range(4)]
    took = []
    while not all(attack.done() for attack in attacks):
        started = asyncio.get_running_loop().time()
        assert (await bob.call("GET", "/activities")).status_code == 200
        took.append(asyncio.get_running_loop().time() - started)
    assert {(await attack).status_code for attack in attacks} <= {422, 503}
    assert sorted(took)[len(took) // 2] < 0.5
    doubling = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i - 1}"}] * 2} for i in range(1, 30)}
    for schema in (
        {"type": "object", "$ref": "https://example.com/schema"},
        {"type": "object", "$ref": "file:///etc/passwd"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "$defs": {"a0": {}, **doubling}, "$ref": "#/$defs/a29"},
    ):
        refused = await ada.call("POST", "/activities", json={"name": "x", "data_schema": schema})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert (await log(ada, runs, 0, km=1)).status_code == 201
