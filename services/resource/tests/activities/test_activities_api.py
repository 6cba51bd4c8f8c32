"""Activities over HTTP, each rule of the contract once."""

import asyncio

import pytest
from sqlalchemy import event, text

from grove.core.ids import new_id
from grove.testing.postgres import outbox_types

pytestmark = pytest.mark.integration
ACTIVITIES, MOMENTS = "/api/v1/activities", "/api/v1/moments"
EASY = {"type": "object"}
STRICT = {"type": "object", "properties": {"mood": {"type": "integer", "minimum": 6}}, "required": ["mood"]}


@pytest.fixture
def statements(resources):
    """What the write connections were asked, FK checks apart."""
    asked: list[str] = []

    def note(_c, _cur, statement, *_):
        asked.append(statement)

    event.listen(resources.engine.sync_engine, "before_cursor_execute", note)
    yield asked
    event.remove(resources.engine.sync_engine, "before_cursor_execute", note)


async def test_a_defined_activity_is_whole(client, me, resources, statements):
    body = {"name": "  Running ", "description": "Each run\nby distance", "data_schema": EASY}
    answer = await client.post(ACTIVITIES, json=body, headers=me)
    activity = answer.json()
    assert answer.status_code == 201, answer.text
    assert len(statements) == 3
    assert list(activity) == ["id", "name", "description", "data_schema", "version", "created_at", "updated_at"]
    assert (activity["name"], activity["version"], activity["data_schema"]) == ("Running", 1, EASY)
    read = await client.get(answer.headers["location"], headers=me)
    assert read.json() == activity
    assert read.headers["etag"] == answer.headers["etag"]
    unchanged = await client.get(answer.headers["location"], headers=me | {"If-None-Match": read.headers["etag"]})
    assert unchanged.status_code == 304
    assert await outbox_types(resources.engine) == ["resource.activity.created.v1"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"name": "", "data_schema": EASY},
        {"name": "x" * 101, "data_schema": EASY},
        {"name": "a\u202eb", "data_schema": EASY},
        {"name": "x", "data_schema": EASY, "description": "x" * 1001},
        {"name": "x", "data_schema": "{}"},
        {"name": "x", "data_schema": True},
        {"name": "x", "data_schema": {}},
        {"name": "x", "data_schema": {"type": "array"}},
        {"name": "x", "data_schema": EASY, "version": 3},
    ],
)
async def test_bad_input_is_a_422_and_changes_nothing(client, me, resources, body):
    answer = await client.post(ACTIVITIES, json=body, headers=me)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert (await client.get(ACTIVITIES, headers=me)).json()["total"] == 0
    assert await outbox_types(resources.engine) == []


async def test_what_is_wrong_in_a_schema_is_pointed_to(client, me):
    schema = {"type": "object", "properties": {"a/b": {"minimum": "low"}}}
    answer = await client.post(ACTIVITIES, json={"name": "x", "data_schema": schema}, headers=me)
    [detail] = answer.json()["error"]["details"]
    assert (detail["field"], detail["pointer"]) == ("body.data_schema", "/properties/a~1b/minimum")
    assert "number" in detail["message"]


async def test_another_schema_is_a_new_version_and_moments_keep_theirs(client, me, define, log, resources, statements):
    activity = await define()
    moment = await log(activity)
    url = f"{ACTIVITIES}/{activity['id']}"
    same = {"required": ["mood"], **activity["data_schema"]}
    same["properties"] = same["properties"] | {"mood": {"type": "integer", "minimum": 1.0, "maximum": 10}}
    assert (await client.patch(url, json={"data_schema": same}, headers=me)).json() == activity
    statements.clear()
    changed = await client.patch(url, json={"data_schema": STRICT, "name": "Strict"}, headers=me)
    assert (changed.json()["version"], changed.json()["data_schema"]) == (2, STRICT)
    assert len(statements) == 3
    assert (await client.get(f"{MOMENTS}/{moment['id']}", headers=me)).json() == moment
    versions = (await client.get(f"{url}/versions", headers=me)).json()
    assert [(item["version"], item["data_schema"]) for item in versions["items"]] == [
        (2, STRICT),
        (1, activity["data_schema"]),
    ]
    assert (await log(activity, {"mood": 7}))["schema_version"] == 2
    facts = ("activity.created", "moment.logged", "activity.updated", "moment.logged")
    assert await outbox_types(resources.engine) == [f"resource.{fact}.v1" for fact in facts]


async def test_put_needs_all_and_an_old_etag_is_refused(client, me, define):
    activity = await define()
    url = f"{ACTIVITIES}/{activity['id']}"
    tag = (await client.get(url, headers=me)).headers["etag"]
    assert (await client.put(url, json={"name": "x", "data_schema": EASY}, headers=me)).status_code == 422
    whole = {"name": "All", "description": "d", "data_schema": EASY}
    replaced = await client.put(url, json=whole, headers=me | {"If-Match": tag})
    assert {name: replaced.json()[name] for name in whole} == whole
    assert replaced.headers["etag"] != tag
    for method, body in (("PUT", whole), ("PATCH", {"name": "y"}), ("DELETE", None)):
        refused = await client.request(method, url, json=body, headers=me | {"If-Match": tag})
        assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")


async def test_deletion_takes_moments_and_versions_along(client, me, define, log, resources, statements):
    activity, kept = await define(), await define()
    moment, other = await log(activity), await log(kept)
    statements.clear()
    url = f"{ACTIVITIES}/{activity['id']}"
    assert (await client.delete(url, headers=me)).status_code == 204
    assert len(statements) == 3
    assert (await client.get(url, headers=me)).status_code == 404
    assert (await client.get(f"{MOMENTS}/{moment['id']}", headers=me)).status_code == 404
    assert (await client.get(f"{MOMENTS}/{other['id']}", headers=me)).status_code == 200
    assert (await client.delete(url, headers=me)).status_code == 404
    async with resources.engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM activity_versions")) == 1
    assert (await outbox_types(resources.engine))[-1] == "resource.activity.deleted.v1"


async def test_everything_of_another_user_is_404(client, me, define, issuer):
    activity, stranger = await define(), issuer.headers(new_id())
    url = f"{ACTIVITIES}/{activity['id']}"
    whole = {"name": "All", "description": "d", "data_schema": EASY}
    for method, path, body in (
        ("GET", url, None),
        ("PUT", url, whole),
        ("PATCH", url, {"name": "x"}),
        ("DELETE", url, None),
        ("GET", f"{url}/versions", None),
        ("GET", f"{url}/versions?cursor=", None),
        ("GET", f"{url}/statistics", None),
    ):
        answer = await client.request(method, path, json=body, headers=stranger)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND"), path
    assert (await client.get(ACTIVITIES, headers=stranger)).json()["total"] == 0
    assert (await client.get(f"{url}/versions?page=2", headers=me)).json()["items"] == []
    assert (await client.get(url, headers=me)).json() == activity


async def test_scopes_are_needed(client, issuer, define):
    url = f"{ACTIVITIES}/{(await define())['id']}"
    reader, writer = (issuer.headers(new_id(), scope=f"moments:{what}") for what in ("read", "write"))
    assert (await client.get(ACTIVITIES, headers=reader)).status_code == 200
    assert (await client.get(ACTIVITIES, headers=writer)).status_code == 403
    assert (await client.post(ACTIVITIES, json={"name": "x", "data_schema": EASY}, headers=reader)).status_code == 403
    assert (await client.delete(url, headers=reader)).status_code == 403
    assert (await client.get(ACTIVITIES)).status_code == 401


async def test_the_list_is_sorted_paged_and_walked(client, me, define):
    for name in ("beta", "Alpha", "gamma"):
        await define(name=name)
    page = await client.get(f"{ACTIVITIES}?sort=name&size=2", headers=me)
    assert ([item["name"] for item in page.json()["items"]], page.json()["pages"]) == (["Alpha", "beta"], 2)
    assert page.headers["x-total-count"] == "3"
    walked, cursor = [], ""
    while cursor is not None:
        part = (await client.get(ACTIVITIES, params={"cursor": cursor, "size": 1}, headers=me)).json()
        walked += [item["name"] for item in part["items"]]
        cursor = part["next_cursor"]
    assert walked == ["gamma", "Alpha", "beta"]
    assert (await client.get(f"{ACTIVITIES}?sort=description", headers=me)).status_code == 422


async def test_200_activities_are_the_most_also_when_many_come_at_once(client, me, resources, issuer):
    headers, body = issuer.headers(user := new_id()), {"name": "x", "data_schema": EASY}
    async with resources.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO activities (id, user_id, name, data_schema, created_at, updated_at) "
                "SELECT gen_random_uuid(), :user, 'x', '{}', now(), now() FROM generate_series(1, 197)"
            ),
            {"user": user},
        )
    async with resources.engine.begin() as connection:
        await connection.execute(text("LOCK TABLE activities IN SHARE MODE"))  # nobody can insert until all have come
        sent = [asyncio.create_task(client.post(ACTIVITIES, json=body, headers=headers)) for _ in range(8)]
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")
        async with asyncio.timeout(10):
            while await connection.scalar(waiting) < len(sent):
                await asyncio.sleep(0.02)
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [422] * 5
    assert (await client.get(ACTIVITIES, headers=headers)).json()["total"] == 200
    assert (await client.post(ACTIVITIES, json=body, headers=me)).status_code == 201


async def test_100_schema_versions_are_the_most(client, me, define, resources):
    activity = await define()
    async with resources.engine.begin() as connection:
        await connection.execute(text("UPDATE activities SET schema_version = 99"))
    url = f"{ACTIVITIES}/{activity['id']}"
    assert (await client.patch(url, json={"data_schema": EASY}, headers=me)).json()["version"] == 100
    refused = await client.patch(url, json={"data_schema": STRICT}, headers=me)
    assert refused.status_code == 422
    assert (await client.patch(url, json={"name": "Still", "data_schema": EASY}, headers=me)).status_code == 200


async def test_a_repeated_creation_with_a_key_is_one(client, me):
    body, headers = {"name": "x", "data_schema": EASY}, me | {"Idempotency-Key": "k"}
    first = await client.post(ACTIVITIES, json=body, headers=headers)
    again = await client.post(ACTIVITIES, json=body, headers=headers)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, first.json(), "true")
    assert (await client.get(ACTIVITIES, headers=me)).json()["total"] == 1
