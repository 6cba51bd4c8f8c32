"""Many operations in one request."""

import time

import pytest
from sqlalchemy import event, text

from grove.core.errors import Conflict
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.testing.postgres import outbox_types

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"
BULK = f"{TASKS}/bulk"


@pytest.fixture
def me(issuer):
    return issuer.headers(new_id())


@pytest.fixture
def make(client, me):
    async def make(title: str = "Plant", headers=None, **fields):
        answer = await client.post(TASKS, json={"title": title, **fields}, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def bulk(client, me):
    async def bulk(*operations: dict, headers=None) -> list[dict]:
        answer = await client.post(BULK, json={"operations": operations}, headers=headers or me)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    return bulk


async def listed(client, headers) -> dict[str, dict]:
    answer = await client.get(f"{TASKS}?size=100&include_deleted=true", headers=headers)
    return {item["id"]: item for item in answer.json()["items"]}


async def test_each_operation_has_the_status_and_task_of_its_own_route(client, me, make, bulk, resources):
    changed, done, gone, erased, back = [await make(f"T{number}") for number in range(5)]
    await client.delete(f"{TASKS}/{back['id']}", headers=me)
    before = len(await outbox_types(resources.engine))
    results = await bulk(
        {"op": "create", "data": {"title": " New ", "tags": ["Home"]}},
        {"op": "update", "id": changed["id"], "data": {"title": "Changed"}},
        {"op": "complete", "id": done["id"]},
        {"op": "delete", "id": gone["id"]},
        {"op": "delete", "id": erased["id"], "permanent": True},
        {"op": "restore", "id": back["id"]},
    )
    assert [(result["op"], result["status"], result["error"]) for result in results] == [
        ("create", 201, None),
        ("update", 200, None),
        ("complete", 200, None),
        ("delete", 204, None),
        ("delete", 204, None),
        ("restore", 200, None),
    ]
    made = results[0]["id"]
    ids = [changed["id"], done["id"], gone["id"], erased["id"], back["id"]]
    assert [result["id"] for result in results] == [made, *ids]
    tasks = await listed(client, me)
    assert [result["task"] for result in results] == [
        tasks[made],
        *(tasks[i] for i in ids[:2]),
        None,
        None,
        tasks[back["id"]],
    ]
    assert (tasks[made]["title"], tasks[made]["tags"], tasks[gone["id"]]["is_deleted"]) == ("New", ["home"], True)
    assert erased["id"] not in tasks
    facts = (await outbox_types(resources.engine))[before:]
    assert facts == [
        f"resource.task.{fact}.v1" for fact in ("created", "updated", "completed", "deleted", "deleted", "restored")
    ]


async def test_what_fails_changes_nothing_and_stops_nothing(client, me, make, bulk, issuer, resources):
    task, deleted, other = await make(), await make(), await make(headers=issuer.headers(new_id()))
    await client.delete(f"{TASKS}/{deleted['id']}", headers=me)
    before, events = await listed(client, me), len(await outbox_types(resources.engine))
    results = await bulk(
        {"op": "update", "id": task["id"], "data": {"title": "x", "tags": ["never"]}, "if_match": '"stale-1"'},
        {"op": "update", "id": deleted["id"], "data": {"title": "x"}},
        {"op": "update", "id": task["id"], "data": {"title": "x", "parent_id": task["id"]}},
        {"op": "create", "data": {"title": "x", "tags": ["neither"], "parent_id": str(new_id())}},
        {"op": "complete", "id": other["id"]},
        {"op": "delete", "id": str(new_id())},
        {"op": "restore", "id": task["id"]},
        {"op": "complete", "id": task["id"], "completed": True},
    )
    assert [(result["status"], result["error"]["code"]) for result in results[:-1]] == [
        (412, "PRECONDITION_FAILED"),
        (400, "INVALID_STATE"),
        (422, "VALIDATION_ERROR"),
        (422, "VALIDATION_ERROR"),
        (403, "FORBIDDEN"),
        (404, "RESOURCE_NOT_FOUND"),
        (400, "INVALID_STATE"),
    ]
    assert {result["task"] for result in results[:-1]} == {None}
    assert all(result["error"]["message"] for result in results[:-1])
    assert (results[-1]["status"], results[-1]["task"]["completed"]) == (200, True)
    after = await listed(client, me)
    assert {**after, task["id"]: None} == {**before, task["id"]: None}
    assert (await outbox_types(resources.engine))[events:] == ["resource.task.completed.v1"]
    assert (await client.get("/api/v1/tags", headers=me)).json()["items"] == []


async def test_operations_on_one_task_see_each_other(client, me, make, bulk):
    task = await make()
    tag = (await client.get(f"{TASKS}/{task['id']}", headers=me)).headers["etag"]
    results = await bulk(
        {"op": "update", "id": task["id"], "data": {"title": "a"}, "if_match": tag},
        {"op": "update", "id": task["id"], "data": {"title": "b"}, "if_match": tag},
        {"op": "delete", "id": task["id"]},
        {"op": "complete", "id": task["id"]},
        {"op": "restore", "id": task["id"]},
        {"op": "complete", "id": task["id"]},
    )
    assert [result["status"] for result in results] == [200, 412, 204, 400, 200, 200]
    assert (results[-1]["task"]["title"], results[-1]["task"]["completed"]) == ("a", True)


GOOD = {"op": "create", "data": {"title": "x"}}


@pytest.mark.parametrize(
    ("operations", "field"),
    [
        ([], "body.operations"),
        ([GOOD] * 101, "body.operations"),
        ([GOOD, {"op": "explode"}], "body.operations.1"),
        ([GOOD, {}], "body.operations.1"),
        ([GOOD, GOOD, {"op": "create", "data": {"title": ""}}], "body.operations.2.create.data.title"),
        ([{"op": "update", "id": "x", "data": {}}], "body.operations.0.update.id"),
        ([{"op": "update", "data": {}}], "body.operations.0.update.id"),
        ([{"op": "delete", "id": str(new_id()), "if_match": "x"}], "body.operations.0.delete.if_match"),
        ([{"op": "complete", "id": str(new_id()), "completed": "maybe"}], "body.operations.0.complete.completed"),
        ([GOOD | {"id": str(new_id())}], "body.operations.0.create.id"),
        (["create"], "body.operations.0"),
        (None, "body.operations"),
    ],
)
async def test_a_malformed_operation_refuses_the_whole(client, me, operations, field):
    answer = await client.post(BULK, json={"operations": operations}, headers=me)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, field)
    assert await listed(client, me) == {}


async def test_a_key_covers_the_whole_and_a_request_is_one(client, me, issuer):
    headers, body = me | {"Idempotency-Key": "k"}, {"operations": [GOOD] * 5}
    first, second = [await client.post(BULK, json=body, headers=headers) for _ in range(2)]
    assert (second.headers["idempotency-replayed"], second.content) == ("true", first.content)
    assert len(await listed(client, me)) == 5
    left = [int(answer.headers["ratelimit"].split("r=")[1].split(";")[0]) for answer in (first, second)]
    assert left[0] - left[1] <= 1
    reader = issuer.headers(new_id(), scope="tasks:read")
    assert (await client.post(BULK, json=body, headers=reader)).status_code == 403
    assert (await client.post(BULK, json=body)).status_code == 401


async def test_what_an_operation_wrote_before_it_failed_is_taken_back(client, me, make, bulk, monkeypatch, resources):
    first, second, third = [await make(f"T{number}") for number in range(3)]
    real = Outbox.add

    async def failing(self, *events):
        await real(self, *events)
        if events[0][0].title == "bad":
            raise Conflict

    monkeypatch.setattr(Outbox, "add", failing)
    before = len(await outbox_types(resources.engine))
    titles = ((first, "good"), (second, "bad"), (third, "fine"))
    results = await bulk(*({"op": "update", "id": task["id"], "data": {"title": title}} for task, title in titles))
    assert [result["status"] for result in results] == [200, 409, 200]
    tasks = await listed(client, me)
    assert [tasks[task["id"]]["title"] for task in (first, second, third)] == ["good", "T1", "fine"]
    assert len(await outbox_types(resources.engine)) == before + 2


async def test_an_editor_gives_the_owner_new_tags_and_a_viewer_none(client, me, make, bulk, issuer, resources):
    friend = new_id()
    edited, viewed = await make("E"), await make("V")
    async with resources.engine.begin() as connection:
        for task, role in ((edited, "editor"), (viewed, "viewer")):
            await connection.execute(
                text(
                    "INSERT INTO shares (id, task_id, email, user_id, role, created_at, updated_at) "
                    "VALUES (uuidv7(), :task, 'f@example.com', :user, :role, now(), now())"
                ),
                {"task": task["id"], "user": friend, "role": role},
            )
    results = await bulk(
        {"op": "update", "id": edited["id"], "data": {"tags": ["mine"]}},
        {"op": "update", "id": viewed["id"], "data": {"tags": ["yours"]}},
        {"op": "delete", "id": edited["id"]},
        headers=issuer.headers(friend),
    )
    assert [result["status"] for result in results] == [200, 403, 403]
    assert results[0]["task"]["role"] == "editor"
    tags = [(await client.get("/api/v1/tags", headers=who)).json() for who in (me, issuer.headers(friend))]
    assert [[item["name"] for item in page["items"]] for page in tags] == [["mine"], []]


async def test_a_hundred_updates_are_bounded_statements_and_quick(client, me, make, bulk, resources):
    ids = [(await make("T"))["id"] for _ in range(100)]
    statements: list[str] = []

    @event.listens_for(resources.engine.sync_engine, "before_cursor_execute")
    def count(_c, _cur, statement, *_):
        statements.append(statement)

    try:
        began = time.perf_counter()
        results = await bulk(*({"op": "update", "id": task_id, "data": {"title": "New"}} for task_id in ids))
        took = time.perf_counter() - began
    finally:
        event.remove(resources.engine.sync_engine, "before_cursor_execute", count)
    assert {result["status"] for result in results} == {200}
    assert len(statements) <= 1 + 5 * len(ids)
    print(f"100 updates: {took * 1000:.0f} ms, {len(statements)} statements")  # noqa: T201 - a measurement
    assert took < 5
