"""Tasks over HTTP, each rule of the contract once."""

import asyncio

import pytest
from pydantic import TypeAdapter
from sqlalchemy import event

from grove.core.ids import new_id
from grove.postgres.reads import Reads
from grove.testing.postgres import outbox_types
from grove_resource.tasks.schemas import TaskRead

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"


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


async def test_a_created_task_is_whole(client, me, resources):
    body = {
        "title": "  Plant a tree ",
        "description": "An oak\nif there is one",
        "due_at": "2030-01-01T12:00:00+02:00",
        "priority": "high",
        "tags": ["Garden", "garden", "Home"],
    }
    answer = await client.post(TASKS, json=body, headers=me)
    task = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{TASKS}/{task['id']}"
    assert task["title"] == "Plant a tree"
    assert task["due_at"] == "2030-01-01T10:00:00Z"
    assert task["tags"] == ["garden", "home"]
    assert (task["priority"], task["completed"], task["is_deleted"], task["role"]) == ("high", False, False, "owner")
    read = await client.get(answer.headers["location"], headers=me)
    assert read.json() == task
    assert read.headers["etag"] == answer.headers["etag"]
    assert await outbox_types(resources.engine) == ["resource.task.created.v1"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"title": ""},
        {"title": "   "},
        {"title": "x" * 201},
        {"title": "a\u202eb"},
        {"title": "x", "description": "x" * 1001},
        {"title": "x", "due_at": "2030-01-01T12:00:00"},
        {"title": "x", "priority": "urgent"},
        {"title": "x", "tags": [""]},
        {"title": "x", "tags": ["t"] * 21},
        {"title": "x", "unknown": 1},
        {"title": "x", "parent_id": str(new_id())},
    ],
)
async def test_bad_input_is_a_422_and_changes_nothing(client, me, resources, body):
    answer = await client.post(TASKS, json=body, headers=me)
    assert answer.status_code == 422
    assert (await client.get(TASKS, headers=me)).json()["total"] == 0
    assert await outbox_types(resources.engine) == []


async def test_patch_changes_what_is_sent_and_put_needs_all(client, me, make, resources):
    task = await make(description="old", priority="low")
    url = f"{TASKS}/{task['id']}"
    patched = await client.patch(url, json={"title": "New", "completed": True}, headers=me)
    assert patched.json()["title"] == "New"
    assert patched.json()["description"] == "old"
    assert patched.json()["completed_at"]
    put = await client.put(url, json={"title": "Only"}, headers=me)
    assert put.status_code == 422
    whole = {
        "title": "All",
        "description": "",
        "completed": False,
        "due_at": None,
        "priority": "none",
        "tags": [],
        "parent_id": None,
        "recurrence": None,
    }
    replaced = await client.put(url, json=whole, headers=me)
    assert {name: replaced.json()[name] for name in whole} == whole
    assert await outbox_types(resources.engine) == [
        f"resource.task.{fact}.v1" for fact in ("created", "updated", "completed", "updated", "reopened")
    ]


async def test_what_changes_nothing_tells_nothing(client, me, make, resources):
    task = await make()
    answer = await client.patch(f"{TASKS}/{task['id']}", json={"title": task["title"], "completed": False}, headers=me)
    assert answer.json() == task
    assert await outbox_types(resources.engine) == ["resource.task.created.v1"]


async def test_complete_toggles_and_sets(client, me, make):
    url = f"{TASKS}/{(await make())['id']}/complete"
    assert (await client.patch(url, headers=me)).json()["completed"] is True
    assert (await client.patch(url, headers=me)).json()["completed"] is False
    for _ in range(2):
        assert (await client.patch(url, json={"completed": True}, headers=me)).json()["completed"] is True
    assert (await client.patch(url, json={}, headers=me)).json()["completed"] is False


async def test_delete_restore_and_delete_for_good(client, me, make, resources):
    task = await make()
    url = f"{TASKS}/{task['id']}"
    assert (await client.post(f"{url}/restore", headers=me)).json()["error"]["code"] == "INVALID_STATE"
    for _ in range(2):
        assert (await client.delete(url, headers=me)).status_code == 204
    deleted = await client.get(url, headers=me)
    assert (deleted.status_code, deleted.json()["is_deleted"]) == (200, True)
    for method, path, body in (("PATCH", url, {"title": "x"}), ("PATCH", f"{url}/complete", None)):
        refused = await client.request(method, path, json=body, headers=me)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "INVALID_STATE")
    restored = await client.post(f"{url}/restore", headers=me)
    assert restored.json()["is_deleted"] is False
    assert (await client.delete(f"{url}?permanent=true", headers=me)).status_code == 204
    assert (await client.get(url, headers=me)).status_code == 404
    facts = ("created", "deleted", "restored", "deleted")
    assert await outbox_types(resources.engine) == [f"resource.task.{fact}.v1" for fact in facts]


async def test_another_users_task_is_403_and_none_is_404(client, make, issuer):
    task, stranger = await make(), issuer.headers(new_id())
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "mine"}),
        ("PATCH", "/complete", None),
        ("DELETE", "", None),
        ("POST", "/restore", None),
    ):
        url = f"{TASKS}/{task['id']}{path}"
        answer = await client.request(method, url, json=body, headers=stranger)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
        gone = await client.request(method, url.replace(task["id"], str(new_id())), json=body, headers=stranger)
        assert gone.status_code == 404
    assert (await client.get(f"{TASKS}/nonsense", headers=stranger)).status_code == 422
    assert (await client.get(TASKS, headers=stranger)).json()["total"] == 0


async def test_etags_and_lost_updates(client, me, make):
    task = await make()
    url = f"{TASKS}/{task['id']}"
    tag = (await client.get(url, headers=me)).headers["etag"]
    assert (await client.get(url, headers=me | {"If-None-Match": tag})).status_code == 304
    answers = await asyncio.gather(
        *(client.patch(url, json={"title": f"v{i}"}, headers=me | {"If-Match": tag}) for i in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    stale = next(answer for answer in answers if answer.status_code == 412)
    assert stale.json()["error"]["code"] == "PRECONDITION_FAILED"
    for method, path in (("DELETE", url), ("POST", f"{url}/restore"), ("PATCH", f"{url}/complete")):
        assert (await client.request(method, path, headers=me | {"If-Match": tag})).status_code == 412


async def test_an_idempotency_key_has_one_effect_even_in_parallel(client, me, resources):
    headers = me | {"Idempotency-Key": "k-1"}
    answers = await asyncio.gather(*(client.post(TASKS, json={"title": "Once"}, headers=headers) for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    replay = await client.post(TASKS, json={"title": "Once"}, headers=headers)
    assert (replay.status_code, replay.headers["idempotency-replayed"]) == (201, "true")
    assert replay.headers["location"] == f"{TASKS}/{replay.json()['id']}"
    assert replay.headers["etag"]
    assert (await client.get(TASKS, headers=me)).json()["total"] == 1
    assert await outbox_types(resources.engine) == ["resource.task.created.v1"]
    other = await client.post(TASKS, json={"title": "Twice"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_key_is_the_users_own_and_errors_are_not_kept(client, me, issuer):
    key = {"Idempotency-Key": "k-2"}
    assert (await client.post(TASKS, json={"title": ""}, headers=me | key)).status_code == 422
    assert (await client.post(TASKS, json={"title": "A"}, headers=me | key)).status_code == 201
    assert (await client.post(TASKS, json={"title": "B"}, headers=issuer.headers(new_id()) | key)).status_code == 201
    assert (
        await client.post(TASKS, json={"title": "C"}, headers=me | {"Idempotency-Key": "x" * 256})
    ).status_code == 422


@pytest.fixture
async def many(client, me, make):
    tasks = [
        await make("Apples", tags=["shop"], priority="low", due_at="2030-01-03T00:00:00Z"),
        await make("bread", tags=["shop", "home"], priority="high", due_at="2030-01-01T00:00:00Z", completed=True),
        await make("Call mum", description="about the apples", priority="medium"),
        await make("Drop", priority="none", due_at="2030-01-02T00:00:00Z"),
    ]
    await client.delete(f"{TASKS}/{tasks[3]['id']}", headers=me)
    await make("child", parent_id=tasks[0]["id"])
    return tasks


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["child", "Call mum", "bread", "Apples"]),
        ("status=pending", ["child", "Call mum", "Apples"]),
        ("status=completed", ["bread"]),
        ("status=deleted", ["Drop"]),
        ("include_deleted=true", ["child", "Drop", "Call mum", "bread", "Apples"]),
        ("tag=SHOP", ["bread", "Apples"]),
        ("priority=high", ["bread"]),
        ("q=apples", ["Call mum", "Apples"]),
        ('q="about the"', ["Call mum"]),
        ("due_after=2030-01-01T00:00:00Z&due_before=2030-01-03T00:00:00Z", ["bread"]),
        ("date_from=2099-01-01T00:00:00Z", []),
        ("date_to=2099-01-01T00:00:00Z&status=completed", ["bread"]),
        ("sort=title", ["Apples", "bread", "Call mum", "child"]),
        ("sort=-priority,title", ["bread", "Call mum", "Apples", "child"]),
        ("sort=due_at,title", ["bread", "Apples", "Call mum", "child"]),
    ],
)
async def test_filters_and_orders(client, me, many, query, titles):
    answer = await client.get(f"{TASKS}?{query}", headers=me)
    assert [item["title"] for item in answer.json()["items"]] == titles
    assert answer.headers["x-total-count"] == str(len(titles))


async def test_subtasks_are_listed_and_can_not_go_round(client, me, many, make):
    parent, child = many[0]["id"], (await client.get(f"{TASKS}?parent_id={many[0]['id']}", headers=me)).json()["items"]
    assert [item["title"] for item in child] == ["child"]
    circle = await client.patch(f"{TASKS}/{parent}", json={"parent_id": child[0]["id"]}, headers=me)
    itself = await client.patch(f"{TASKS}/{parent}", json={"parent_id": parent}, headers=me)
    deleted = await client.patch(f"{TASKS}/{parent}", json={"parent_id": many[3]["id"]}, headers=me)
    assert (circle.status_code, itself.status_code, deleted.status_code) == (422, 422, 422)
    freed = await client.patch(f"{TASKS}/{child[0]['id']}", json={"parent_id": None}, headers=me)
    assert freed.json()["parent_id"] is None


@pytest.mark.parametrize("sort", ["-created_at", "title", "-priority,title", "due_at", "-updated_at"])
async def test_a_walk_by_cursor_sees_every_task_once_while_rows_arrive(client, me, make, sort):
    for number in range(25):
        due = f"2030-01-{number % 5 + 1:02}T00:00:00Z" if number % 2 else None
        await make(f"T{number % 7}", priority=["none", "low", "high"][number % 3], due_at=due)
    before = {item["id"] for item in (await client.get(f"{TASKS}?size=100", headers=me)).json()["items"]}
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get(TASKS, params={"sort": sort, "size": 4, "cursor": cursor}, headers=me)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if len(seen) == 8:
            await make("arrived meanwhile")
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


async def test_pages_behind_the_end_know_the_total(client, me, many):
    answer = await client.get(f"{TASKS}?page=9&size=2", headers=me)
    assert answer.json() == {"items": [], "total": 4, "page": 9, "size": 2, "pages": 2}


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "size=0",
        "size=101",
        "page=101&size=100",
        "sort=secret",
        "cursor=x",
        "page=1&cursor=",
        "status=odd",
        "date_from=2030-01-01",
        "date_from=0001-01-01T00:00:00%2B01:00",
        "due_before=9999-12-31T23:59:59-01:00",
    ],
)
async def test_anything_out_of_range_is_a_422(client, me, query):
    assert (await client.get(f"{TASKS}?{query}", headers=me)).status_code == 422


async def test_scopes_are_needed(client, issuer):
    reader = issuer.headers(new_id(), scope="tasks:read")
    assert (await client.get(TASKS, headers=reader)).status_code == 200
    assert (await client.post(TASKS, json={"title": "x"}, headers=reader)).status_code == 403
    assert (await client.get(TASKS)).status_code == 401


async def test_statements_are_few(client, me, make, resources, monkeypatch):
    task = await make()
    statements: list[str] = []

    @event.listens_for(resources.engine.sync_engine, "before_cursor_execute")
    def count(_c, _cur, statement, *_):
        statements.append(statement)

    running = Reads._running

    def count_read(reads, statement):
        statements.append(statement.text)
        return running(reads, statement)

    monkeypatch.setattr(Reads, "_running", count_read)
    try:
        for method, url, body, most in (
            ("GET", TASKS, None, 1),
            ("GET", f"{TASKS}?cursor=", None, 1),
            ("GET", f"{TASKS}/{task['id']}", None, 1),
            ("POST", TASKS, {"title": "x"}, 3),
            ("PATCH", f"{TASKS}/{task['id']}", {"title": "y"}, 3),
            ("DELETE", f"{TASKS}/{task['id']}", None, 3),
        ):
            statements.clear()
            assert (await client.request(method, url, json=body, headers=me)).status_code < 300
            assert 1 <= len(statements) <= most, statements
    finally:
        event.remove(resources.engine.sync_engine, "before_cursor_execute", count)


async def test_a_lost_database_is_a_503_with_retry_after(settings, resources, issuer, gate):
    from grove.testing.http import client_of
    from grove.web.auth import Authenticator
    from grove_resource.main import build
    from grove_resource.resources import Resources

    lost = Resources(settings.model_copy(update={"database_port": 1}))
    app = build(settings, lost)
    app.state.authenticator = Authenticator(issuer.verifier(), gate, resources.limiter)
    async with client_of(app) as client:
        answer = await client.get(TASKS, headers=issuer.headers())
        ready = await client.get("/health/ready")
    await lost.aclose()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert (ready.status_code, set(ready.json()["failing"])) == (503, {"database", "revocations"})


async def test_every_route_writes_a_task_with_the_same_bytes(client, me, make):
    """PostgreSQL writes what is read, Pydantic what was changed."""
    full = {
        "title": 'Plant "Ä" 🌳 \\ </script>',
        "description": "one\ntwo\ttabs",
        "tags": ["a,b", 'c"d'],
        "priority": "high",
        "due_at": "2030-01-03T00:00:00Z",
        "completed": True,
    }
    tasks = [await make(**full), await make("Plain"), await make("Due", due_at="2030-01-03T00:00:00.120000Z")]
    await client.delete(f"{TASKS}/{tasks[1]['id']}", headers=me)
    for task in tasks:
        read = await client.get(f"{TASKS}/{task['id']}", headers=me)
        assert TypeAdapter(TaskRead).dump_json(TypeAdapter(TaskRead).validate_json(read.content)) == read.content
        for query in ("page=1", "cursor="):
            listed = await client.get(f"{TASKS}?{query}&include_deleted=true", headers=me)
            assert read.content in listed.content
    changed = await client.put(
        f"{TASKS}/{tasks[0]['id']}", json=full | {"parent_id": None, "recurrence": None}, headers=me
    )
    assert changed.content == (await client.get(f"{TASKS}/{tasks[0]['id']}", headers=me)).content
