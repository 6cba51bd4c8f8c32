"""Tags over HTTP, each rule once."""

import asyncio
import json

import pytest
from sqlalchemy import event, text

from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.postgres.reads import Reads
from grove.testing.postgres import outbox_types
from grove_resource.tags import service

pytestmark = pytest.mark.integration
TAGS, TASKS = "/api/v1/tags", "/api/v1/tasks"


@pytest.fixture
def me(issuer):
    return issuer.headers(new_id())


@pytest.fixture
def make(client, me):
    async def make(name: str = "home", headers=None, **fields):
        answer = await client.post(TAGS, json={"name": name, **fields}, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def task(client, me):
    async def task(*tags: str, headers=None):
        answer = await client.post(TASKS, json={"title": "T", "tags": tags}, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return task


async def names(client, headers, query="size=100"):
    return [item["name"] for item in (await client.get(f"{TAGS}?{query}", headers=headers)).json()["items"]]


async def facts(resources):
    async with resources.engine.connect() as connection:
        rows = await connection.execute(text("SELECT body FROM outbox ORDER BY position"))
        return [json.loads(row.body) for row in rows]


async def test_a_created_tag_is_whole_and_read_with_the_same_bytes(client, me, resources):
    answer = await client.post(TAGS, json={"name": "  E\u0301clair ", "color": "#2E7D32"}, headers=me)
    tag = answer.json()
    assert answer.status_code == 201
    assert (tag["name"], tag["color"], tag["created_at"]) == ("éclair", "#2e7d32", tag["updated_at"])
    assert answer.headers["location"] == f"{TAGS}/{tag['id']}"
    read = await client.get(answer.headers["location"], headers=me)
    assert (read.content, read.headers["etag"]) == (answer.content, answer.headers["etag"])
    tagged = {"If-None-Match": read.headers["etag"]}
    assert (await client.get(answer.headers["location"], headers=me | tagged)).status_code == 304
    assert read.content in (await client.get(TAGS, headers=me)).content
    assert await outbox_types(resources.engine) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": " "},
        {"name": "x" * 51},
        {"name": "İ" * 26},
        {"name": "a\u202eb"},
        {"name": "a\nb"},
        {"name": None},
        {"name": "x", "color": "red"},
        {"name": "x", "color": "#12345"},
        {"name": "x", "color": "#1234567"},
        {"name": "x", "color": "#12345٣"},
        {"name": "x", "unknown": 1},
    ],
)
async def test_bad_input_is_a_422_and_changes_nothing(client, me, make, body):
    tag = await make()
    for method, url in (("POST", TAGS), ("PUT", f"{TAGS}/{tag['id']}")):
        assert (await client.request(method, url, json=body, headers=me)).status_code == 422
    assert (await client.patch(f"{TAGS}/{tag['id']}", json=body or {"name": None}, headers=me)).status_code == 422
    assert (await client.get(TAGS, headers=me)).json()["items"] == [tag]


async def test_a_word_of_a_task_that_grows_in_lower_case_is_a_422(client, me):
    answer = await client.post(TASKS, json={"title": "T", "tags": ["İ" * 26]}, headers=me)
    assert answer.status_code == 422


async def test_patch_changes_what_is_sent_and_put_needs_all(client, me, make):
    tag = await make(color="#000000")
    url = f"{TAGS}/{tag['id']}"
    assert (await client.patch(url, json={"name": "Work"}, headers=me)).json()["name"] == "work"
    assert (await client.patch(url, json={"color": None}, headers=me)).json()["color"] is None
    assert (await client.put(url, json={"name": "x"}, headers=me)).status_code == 422
    put = await client.put(url, json={"name": "x", "color": "#ffffff"}, headers=me)
    assert (put.json()["name"], put.json()["color"]) == ("x", "#ffffff")
    same = await client.patch(url, json={"name": "X"}, headers=me)
    assert (same.json(), same.headers["etag"]) == (put.json(), put.headers["etag"])


async def test_a_taken_name_is_a_409(client, me, make, issuer):
    home, work = await make("home"), await make("work")
    await make("home", headers=issuer.headers(new_id()))
    for method, url in (("POST", TAGS), ("PATCH", f"{TAGS}/{work['id']}")):
        answer = await client.request(method, url, json={"name": "HOME"}, headers=me)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert (await client.get(TAGS, headers=me)).json()["items"] == [home, work]


async def test_of_many_who_want_a_name_one_gets_it(client, me, make):
    answers = await asyncio.gather(*(client.post(TAGS, json={"name": "one"}, headers=me) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    others = [await make(f"t{number}") for number in range(6)]
    answers = await asyncio.gather(
        *(client.patch(f"{TAGS}/{other['id']}", json={"name": "new"}, headers=me) for other in others)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5


async def test_a_rename_reaches_all_tasks_and_nobody_elses(client, me, task, issuer, resources):
    stranger = issuer.headers(new_id())
    mine, deleted = await task("home", "garden"), await task("home")
    await client.delete(f"{TASKS}/{deleted['id']}", headers=me)
    untouched = [(await task("garden"), me), (await task("home", headers=stranger), stranger)]
    tag = (await client.get(f"{TAGS}?sort=-name", headers=me)).json()["items"][0]
    before = len(await facts(resources))
    assert (await client.patch(f"{TAGS}/{tag['id']}", json={"name": "House"}, headers=me)).status_code == 200
    for old, tags in ((mine, ["house", "garden"]), (deleted, ["house"])):
        read = await client.get(f"{TASKS}/{old['id']}", headers=me)
        assert (read.json()["tags"], read.json()["updated_at"] > old["updated_at"]) == (tags, True)
        fact = next(fact for fact in (await facts(resources))[before:] if fact["subject"] == old["id"])
        assert (fact["data"]["changed"], fact["data"]["quiet"], fact["data"]["title"]) == (["tags"], True, "T")
        assert read.headers["etag"].endswith(f'-{fact["sequence"]}"')
    assert len(await facts(resources)) == before + 2
    for other, headers in untouched:
        assert (await client.get(f"{TASKS}/{other['id']}", headers=headers)).json() == other
    assert [item["id"] for item in (await client.get(f"{TASKS}?tag=house", headers=me)).json()["items"]] == [mine["id"]]


async def test_a_deleted_tag_is_taken_out_of_tasks(client, me, task, resources):
    tagged, other = await task("home", "work"), await task("work")
    tag = (await client.get(TAGS, headers=me)).json()["items"][0]
    url = f"{TAGS}/{tag['id']}"
    read = await client.get(url, headers=me)
    await client.patch(url, json={"color": "#123456"}, headers=me)
    stale = {"If-Match": read.headers["etag"]}
    for method, body in (("PUT", tag | {}), ("PATCH", {"name": "x"}), ("DELETE", None)):
        sent = {"name": "x", "color": None} if method == "PUT" else body
        assert (await client.request(method, url, json=sent, headers=me | stale)).status_code == 412
    assert (await client.delete(url, headers=me)).status_code == 204
    assert (await client.delete(url, headers=me)).status_code == 404
    assert (await client.get(f"{TASKS}/{tagged['id']}", headers=me)).json()["tags"] == ["work"]
    assert (await client.get(f"{TASKS}/{other['id']}", headers=me)).json() == other
    assert await names(client, me) == ["work"]
    assert (await outbox_types(resources.engine))[-1] == "resource.task.updated.v1"
    assert len(await outbox_types(resources.engine)) == 3


async def test_anothers_tag_is_a_404(client, make, issuer):
    tag, stranger = await make(), issuer.headers(new_id())
    for url in (f"{TAGS}/{tag['id']}", f"{TAGS}/{new_id()}"):
        for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
            assert (await client.request(method, url, json=body, headers=stranger)).status_code == 404
    assert await names(client, stranger) == []


@pytest.mark.parametrize("sort", ["name", "-name", "created_at", "-updated_at", "-created_at,name"])
async def test_pages_and_walks_hold_every_tag_once(client, me, make, sort):
    for name in ("b", "ä", "z", "a b", "A", "9", "ab"):
        await make(name)
    listed = await client.get(f"{TAGS}?sort={sort}&size=3&page=2", headers=me)
    whole = await names(client, me, f"sort={sort}&size=100")
    assert ([item["name"] for item in listed.json()["items"]], listed.json()["total"]) == (whole[3:6], 7)
    walked, cursor = [], ""
    while cursor is not None:
        page = (await client.get(TAGS, params={"sort": sort, "size": 2, "cursor": cursor}, headers=me)).json()
        walked += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert walked == whole


async def test_there_are_so_many_and_no_more_also_in_parallel(client, me, task, monkeypatch):
    monkeypatch.setattr(service, "MOST", 5)
    answers = await asyncio.gather(*(client.post(TAGS, json={"name": f"t{n}"}, headers=me) for n in range(12)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [422] * 7
    taken = (await names(client, me))[0]
    assert (await client.post(TAGS, json={"name": taken}, headers=me)).status_code == 409
    await task("brought by a task")
    assert len(await names(client, me)) == 6


async def test_an_idempotency_key_has_one_effect(client, me):
    headers = me | {"Idempotency-Key": "k"}
    first, second = [await client.post(TAGS, json={"name": "one"}, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code, second.headers["idempotency-replayed"]) == (201, 201, "true")
    assert second.content == first.content


async def test_scopes_are_needed(client, issuer):
    reader = issuer.headers(new_id(), scope="tasks:read")
    assert (await client.get(TAGS, headers=reader)).status_code == 200
    assert (await client.post(TAGS, json={"name": "x"}, headers=reader)).status_code == 403
    assert (await client.get(TAGS)).status_code == 401


async def test_statements_are_few_however_many_tasks(client, me, make, task, resources, monkeypatch):
    """Savepoints counted in."""
    tag = await make("home")
    for _ in range(5):
        await task("home")
    statements: list[str] = []

    @event.listens_for(resources.engine.sync_engine, "before_cursor_execute")
    def count(_c, _cur, statement, *_):
        statements.append(statement)

    running = Reads._running

    def count_read(reads, statement):
        statements.append(statement.text)
        return running(reads, statement)

    monkeypatch.setattr(Reads, "_running", count_read)
    url = f"{TAGS}/{tag['id']}"
    try:
        for method, path, body, most in (
            ("GET", TAGS, None, 1),
            ("GET", f"{TAGS}?cursor=", None, 1),
            ("GET", url, None, 1),
            ("POST", TAGS, {"name": "x"}, 2),
            ("PATCH", url, {"color": "#000000"}, 2),
            ("PATCH", url, {"name": "y"}, 8),
            ("DELETE", url, None, 8),
        ):
            statements.clear()
            assert (await client.request(method, path, json=body, headers=me)).status_code < 300
            assert 1 <= len(statements) <= most, statements
    finally:
        event.remove(resources.engine.sync_engine, "before_cursor_execute", count)


async def test_what_fails_half_way_changes_nothing(client, me, task, monkeypatch, resources):
    tasks = [await task("home") for _ in range(3)]
    tag = (await client.get(TAGS, headers=me)).json()["items"][0]
    monkeypatch.setattr(service, "EVENTS_AT_ONCE", 2)
    real, calls = Outbox.add, []

    async def failing(self, *events):
        calls.append(len(events))
        if len(calls) == 2:
            raise RuntimeError("lost")
        await real(self, *events)

    monkeypatch.setattr(Outbox, "add", failing)
    assert (await client.patch(f"{TAGS}/{tag['id']}", json={"name": "house"}, headers=me)).status_code == 500
    assert calls == [2, 1]
    assert (await client.get(f"{TAGS}/{tag['id']}", headers=me)).json() == tag
    for old in tasks:
        assert (await client.get(f"{TASKS}/{old['id']}", headers=me)).json() == old
    assert len(await outbox_types(resources.engine)) == 3
