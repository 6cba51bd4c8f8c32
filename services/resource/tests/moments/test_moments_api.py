"""Moments over HTTP, each rule of the contract once."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import event

from grove.core.clock import now
from grove.core.ids import new_id
from grove.postgres.reads import Reads
from grove.testing.postgres import outbox_types

pytestmark = pytest.mark.integration
ACTIVITIES, MOMENTS = "/api/v1/activities", "/api/v1/moments"
NOON = "2026-03-01T12:00:00Z"


@pytest.fixture
def statements(resources):
    """What the write connections were asked."""
    asked: list[str] = []

    def note(_c, _cur, statement, *_):
        asked.append(statement)

    event.listen(resources.engine.sync_engine, "before_cursor_execute", note)
    yield asked
    event.remove(resources.engine.sync_engine, "before_cursor_execute", note)


async def test_a_logged_moment_is_whole(client, me, define, resources, statements):
    activity = await define()
    statements.clear()
    body = {"activity_id": activity["id"], "occurred_at": "2026-03-01T13:00:00+01:00", "data": {"mood": 7}}
    answer = await client.post(MOMENTS, json=body, headers=me)
    moment = answer.json()
    assert answer.status_code == 201, answer.text
    assert len(statements) == 3
    fields = ["id", "activity_id", "schema_version", "occurred_at", "data", "created_at", "updated_at"]
    assert list(moment) == fields
    assert (moment["occurred_at"], moment["data"], moment["schema_version"]) == (NOON, {"mood": 7}, 1)
    read = await client.get(answer.headers["location"], headers=me)
    assert read.json() == moment
    assert read.headers["etag"] == answer.headers["etag"]
    unchanged = await client.get(answer.headers["location"], headers=me | {"If-None-Match": read.headers["etag"]})
    assert unchanged.status_code == 304
    assert (await outbox_types(resources.engine))[1:] == ["resource.moment.logged.v1"]


async def test_data_that_does_not_fit_is_a_422_with_pointers(client, me, define, resources):
    activity = await define()
    body = {"activity_id": activity["id"], "occurred_at": NOON, "data": {"mood": "good", "note": 5}}
    answer = await client.post(MOMENTS, json=body, headers=me)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert [(d["field"], d["pointer"], d["type"]) for d in answer.json()["error"]["details"]] == [
        ("body.data", "/mood", "type"),
        ("body.data", "/note", "type"),
    ]
    assert (await client.get(MOMENTS, headers=me)).json()["total"] == 0
    assert await outbox_types(resources.engine) == ["resource.activity.created.v1"]


@pytest.mark.parametrize(
    "change",
    [
        {"occurred_at": "2026-03-01T12:00:00"},
        {"occurred_at": (now() + timedelta(days=2)).isoformat()},
        {"occurred_at": "0001-01-01T00:00:00+14:00"},
        {"occurred_at": "9999-12-31T23:59:59-14:00"},
        {"activity_id": "nonsense"},
        {"data": "{}"},
        {"data": [1]},
        {"data": {}},
        {"data": {"mood": None}},
        {"user_id": str(new_id())},
    ],
)
async def test_bad_input_is_a_422(client, me, define, change):
    activity = await define()
    body = {"activity_id": activity["id"], "occurred_at": NOON, "data": {"mood": 5}} | change
    answer = await client.post(MOMENTS, json=body, headers=me)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR"), answer.text
    assert (await client.get(MOMENTS, headers=me)).json()["total"] == 0


async def test_tomorrow_can_be_logged_and_the_first_year_too(log, define):
    activity = await define()
    for time in ((now() + timedelta(hours=23)).isoformat(), "0001-01-01T00:00:00Z"):
        await log(activity, occurred_at=time)


async def test_changes_are_checked_against_the_moments_own_version(client, me, define, log, resources, statements):
    activity = await define()
    moment = await log(activity, {"mood": 5})
    strict = {"type": "object", "properties": {"mood": {"minimum": 9}}}
    await client.patch(f"{ACTIVITIES}/{activity['id']}", json={"data_schema": strict}, headers=me)
    url = f"{MOMENTS}/{moment['id']}"
    statements.clear()
    changed = await client.patch(url, json={"data": {"mood": 6}}, headers=me)
    assert len(statements) == 3
    assert (changed.json()["data"], changed.json()["schema_version"]) == ({"mood": 6}, 1)
    refused = await client.patch(url, json={"data": {"mood": 11}}, headers=me)
    assert refused.json()["error"]["details"][0]["type"] == "maximum"
    put = {"activity_id": activity["id"], "occurred_at": NOON, "data": {"mood": 6}}
    statements.clear()
    assert (await client.put(url, json=put | {"data": {"mood": 7}}, headers=me)).json()["schema_version"] == 1
    assert len(statements) == 3
    assert (await client.put(url, json={"data": {"mood": 7}}, headers=me)).status_code == 422
    facts = ("activity.created", "moment.logged", "activity.updated", "moment.updated", "moment.updated")
    assert await outbox_types(resources.engine) == [f"resource.{fact}.v1" for fact in facts]


async def test_in_another_activity_the_present_schema_counts(client, me, define, log, statements):
    activity, moment = await define(), None
    moment = await log(activity, {"mood": 5})
    url = f"{MOMENTS}/{moment['id']}"
    other = await define({"type": "object"})
    strict = {"type": "object", "required": ["place"]}
    await client.patch(f"{ACTIVITIES}/{other['id']}", json={"data_schema": strict}, headers=me)
    refused = await client.patch(url, json={"activity_id": other["id"]}, headers=me)
    assert refused.json()["error"]["details"][0]["type"] == "required"
    statements.clear()
    moved = await client.patch(url, json={"activity_id": other["id"], "data": {"place": "home"}}, headers=me)
    assert len(statements) == 3
    assert (moved.json()["activity_id"], moved.json()["schema_version"]) == (other["id"], 2)
    assert (await client.get(url, headers=me)).json() == moved.json()


async def test_what_changes_nothing_tells_nothing(client, me, define, log, resources):
    moment = await log(await define(), {"mood": 5})
    same = {name: moment[name] for name in ("activity_id", "occurred_at")} | {"data": {"mood": 5.0}}
    assert (await client.put(f"{MOMENTS}/{moment['id']}", json=same, headers=me)).json() == moment
    assert len(await outbox_types(resources.engine)) == 2


async def test_an_old_etag_is_refused_and_deletion_is_told(client, me, define, log, resources, statements):
    moment = await log(await define())
    url = f"{MOMENTS}/{moment['id']}"
    tag = (await client.get(url, headers=me)).headers["etag"]
    answer = await client.patch(url, json={"occurred_at": "2026-01-01T00:00:00Z"}, headers=me | {"If-Match": tag})
    assert answer.json()["occurred_at"] == "2026-01-01T00:00:00Z"
    for method, body in (("PATCH", {"data": {"mood": 1}}), ("DELETE", None)):
        refused = await client.request(method, url, json=body, headers=me | {"If-Match": tag})
        assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    statements.clear()
    assert (await client.delete(url, headers=me | {"If-Match": answer.headers["etag"]})).status_code == 204
    assert len(statements) == 3
    assert (await client.delete(url, headers=me)).status_code == 404
    assert (await outbox_types(resources.engine))[-1] == "resource.moment.deleted.v1"


async def test_everything_of_another_user_is_404(client, me, define, log, issuer):
    activity, stranger = await define(), issuer.headers(new_id())
    moment, theirs = await log(activity), await define(headers=stranger)
    url = f"{MOMENTS}/{moment['id']}"
    whole = {"activity_id": theirs["id"], "occurred_at": NOON, "data": {"mood": 5}}
    for headers, method, path, body in (
        (stranger, "GET", url, None),
        (stranger, "PUT", url, whole),
        (stranger, "PATCH", url, {"data": {"mood": 1}}),
        (stranger, "DELETE", url, None),
        (stranger, "POST", MOMENTS, whole | {"activity_id": activity["id"]}),
        (me, "PATCH", url, {"activity_id": theirs["id"]}),
        (me, "PATCH", url, {"activity_id": str(new_id())}),
    ):
        answer = await client.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND"), (method, path)
    for query in ("", f"?activity_id={activity['id']}", "?data.mood=5"):
        assert (await client.get(MOMENTS + query, headers=stranger)).json()["total"] == 0
    assert (await client.get(url, headers=me)).json() == moment


async def test_a_list_and_a_read_are_one_statement(client, me, define, log, monkeypatch):
    moment = await log(await define())
    asked, run = [], Reads._running
    monkeypatch.setattr(Reads, "_running", lambda self, statement: asked.append(statement.text) or run(self, statement))
    for path in ("", f"/{moment['id']}", "?cursor=&data.mood=5", "?page=1&data.mood=5&data.note=x"):
        asked.clear()
        assert (await client.get(MOMENTS + path, headers=me)).status_code == 200
        assert len(asked) == 1


async def test_a_repeated_log_with_a_key_is_one(client, me, define):
    body = {"activity_id": (await define())["id"], "occurred_at": NOON, "data": {"mood": 5}}
    headers = me | {"Idempotency-Key": "k"}
    answers = [await client.post(MOMENTS, json=body, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert (await client.get(MOMENTS, headers=me)).json()["total"] == 1


async def test_of_changes_at_once_with_one_etag_one_wins(client, me, define, log):
    moment = await log(await define())
    url = f"{MOMENTS}/{moment['id']}"
    headers = me | {"If-Match": (await client.get(url, headers=me)).headers["etag"]}
    answers = await asyncio.gather(
        *(client.patch(url, json={"data": {"mood": mood}}, headers=headers) for mood in range(6, 10))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


@pytest.mark.parametrize(
    "number", ["9007199254740993", "18446744073709551617", "-0.0", "1e308", "5e-324", "0.1", "1" + "0" * 300, "1.50"]
)
async def test_any_number_is_stored_and_given_back(client, me, define, number):
    activity = await define({"type": "object"})
    text = f'{{"activity_id":"{activity["id"]}","occurred_at":"{NOON}","data":{{"n":{number}}}}}'
    answer = await client.post(MOMENTS, content=text, headers=me | {"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    read = await client.get(answer.headers["location"], headers=me)
    assert float(read.json()["data"]["n"]) == float(number)
    if number.isdigit():
        assert read.json()["data"]["n"] == answer.json()["data"]["n"] == int(number)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ('{"n":1e400}', 422),
        ('{"n":Infinity}', 422),
        ('{"n":NaN}', 422),
        ('{"n":1' + "0" * 400 + "}", 422),
        ('{"n":1' + "0" * 5000 + "}", 400),
        ('{"n":"a\\u0000b"}', 422),
        ('{"a\\u0000b":1}', 422),
        ('{"n":"\\ud800"}', 422),
        ('{"n":1,"n":2}', 201),
        ('{"__proto__":{"constructor":1},"ключ":"значение","😀":"\\ud83d\\ude00"}', 201),
        ('{"n":' + "[" * 15 + "]" * 15 + "}", 201),
        ('{"n":' + "[" * 16 + "]" * 16 + "}", 422),
        ('{"n":' + "[" * 5000 + "]" * 5000 + "}", 422),
        ('{"n":[' + ",".join(["1"] * 4997) + "]}", 201),
        ('{"n":[' + ",".join(["1"] * 4999) + "]}", 422),
        ('{"n":"' + "x" * 65000 + '"}', 201),
        ('{"n":"' + "x" * 66000 + '"}', 422),
        ('{"n":"' + "é" * 33000 + '"}', 422),
    ],
)
async def test_odd_json_is_stored_or_refused(client, me, define, data, status):
    activity = await define({"type": "object"})
    text = f'{{"activity_id":"{activity["id"]}","occurred_at":"{NOON}","data":{data}}}'
    answer = await client.post(MOMENTS, content=text.encode(), headers=me | {"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text[:300]
    assert len(answer.text) < 500 or status == 201
