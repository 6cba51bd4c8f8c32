"""The archive holds all of a user and nothing of others, is valid JSON at any size, and never ends early in silence."""

import asyncio
import json
import re
import socket
import tracemalloc

import httpx2
import pytest
import uvicorn
from pydantic import TypeAdapter
from sqlalchemy import text

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.http import FromPeer
from grove_resource.exports import archive, endpoints
from grove_resource.exports.repository import ArchiveQueries
from grove_resource.exports.schemas import Archive

pytestmark = pytest.mark.integration
EXPORT = "/api/v1/export"
SHARE = """INSERT INTO shares (id, task_id, email, user_id, role, created_at, updated_at)
  VALUES (:id, :task, :email, :user, 'editor', now(), now())"""
REMINDER = """INSERT INTO reminders (id, task_id, user_id, minutes_before_due, created_at)
  VALUES (:id, :task, :user, 5, now())"""
ATTACHMENT = """INSERT INTO attachments
  (id, task_id, user_id, file_key, name, content_type, size, sha256, state, created_at)
  VALUES (:id, :task, :user, :id, 'Plan.pdf', 'application/pdf', 3, '\\xabcd', 'available', now())"""


@pytest.fixture
def user():
    return new_id()


@pytest.fixture
def me(issuer, user):
    return issuer.headers(user)


@pytest.fixture
def make(client, me):
    async def make(path: str, headers=None, **body):
        answer = await client.post(f"/api/v1/{path}", json=body, headers=headers or me)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def sql(resources):
    async def sql(statement: str, **values):
        async with resources.engine.begin() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = '60s'"))  # many rows at once
            await connection.execute(text(statement), {"id": new_id(), **values})

    return sql


async def test_everything_of_the_user_is_in_it_and_nothing_else(client, issuer, me, user, make, sql):
    other = new_id()
    theirs = issuer.headers(other)
    task = await make("tasks", title="Mine", tags=["home"], due_at="2030-01-01T00:00:00Z")
    gone = await make("tasks", title="Gone")
    await client.delete(f"/api/v1/tasks/{gone['id']}", headers=me)
    activity = await make("activities", name="Run", data_schema={"type": "object"})
    await client.patch(
        f"/api/v1/activities/{activity['id']}", json={"data_schema": {"type": "object", "required": []}}, headers=me
    )
    moment = await make("moments", activity_id=activity["id"], occurred_at="2026-05-01T07:30:00Z", data={"km": 3})
    foreign = await make("tasks", theirs, title="Theirs", tags=["secret"])
    secret = await make("tasks", theirs, title="Secret")
    for task_id, owner in ((task["id"], user), (task["id"], other), (foreign["id"], user), (foreign["id"], other)):
        await sql(REMINDER, task=task_id, user=owner)
        await sql(ATTACHMENT, task=task_id, user=owner)
    await sql(SHARE, task=task["id"], user=other, email="other@example.com")
    await sql(SHARE, task=foreign["id"], user=user, email="me@example.com")
    answer = await client.get(EXPORT, headers=me)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    day = found["exported_at"][:10]
    assert answer.headers["content-disposition"] == f'attachment; filename="grove-resource-export-{day}.json"'
    assert answer.headers["cache-control"] == "private, no-store"
    TypeAdapter(Archive).validate_json(answer.content)
    assert found.keys() == set(Archive.__dataclass_fields__)
    assert (found["user_id"], found["profile"]["user_id"]) == (str(user), str(user))
    assert [tag["name"] for tag in found["tags"]] == ["home"]
    assert [each["title"] for each in found["tasks"]] == ["Gone", "Mine"]
    mine = found["tasks"][1]
    assert task.items() <= mine.items()
    assert [(share["email"], share["role"]) for share in mine["shares"]] == [("other@example.com", "editor")]
    assert [reminder["minutes_before_due"] for reminder in mine["reminders"]] == [5]
    assert [(file["name"], file["sha256"]) for file in mine["attachments"]] == [("Plan.pdf", "abcd")] * 2
    (part,) = found["shared_with_me"]
    assert (part["task_id"], part["title"], part["role"]) == (foreign["id"], "Theirs", "editor")
    assert (len(part["reminders"]), len(part["attachments"])) == (1, 1)
    (archived,) = found["activities"]
    assert [version["version"] for version in archived["versions"]] == [1, 2]
    assert archived["versions"][1]["data_schema"] == archived["data_schema"]
    assert found["moments"] == [moment]
    assert "Secret" not in answer.text
    assert secret["id"] not in answer.text


async def test_an_empty_archive_is_whole(client, me, user):
    found = (await client.get(EXPORT, headers=me)).json()
    lists = {name: value for name, value in found.items() if name not in {"user_id", "exported_at", "profile"}}
    assert lists == {"tags": [], "tasks": [], "shared_with_me": [], "activities": [], "moments": []}


async def fill(sql, user, count: int) -> None:
    await sql(
        "INSERT INTO activities (id, user_id, name, data_schema, created_at, updated_at)"
        " VALUES (:user, :user, 'Run', '{}', now(), now())",
        user=user,
    )
    await sql(
        "INSERT INTO moments (id, user_id, activity_id, schema_version, occurred_at, data, created_at, updated_at)"
        " SELECT uuidv7(), :user, :user, 1, now() - (n / 3) * interval '1 second',"
        " jsonb_build_object('n', n, 'note', repeat('x', 200)), now(), now()"
        " FROM generate_series(1, CAST(:count AS int)) n",
        user=user,
        count=count,
    )


async def test_fifty_thousand_moments_stream_in_little_memory(resources, user, sql):
    """Written and read in parts: 17 MB of JSON with less than 12 MB in hand."""

    async def nothing() -> None:
        return

    await fill(sql, user, 50_000)
    queries = ArchiveQueries(resources.reads, user)
    size, ids, rest = 0, set(), ""
    tracemalloc.start()
    try:
        async for part in archive.archive(queries, user, now(), "{}", nothing):
            size += len(part)
            ids.update(map(int, re.findall(r'"n": ([0-9]+)', part)))
            rest = part
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rest == "]}"
    assert (len(ids), min(ids), max(ids)) == (50_000, 1, 50_000)
    assert size > 15_000_000
    assert peak < 12_000_000  # 50,000 numbers in a set are most of it


@pytest.fixture
async def address(app):
    """The app behind a real server, for what a transport in the process can't show."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(FromPeer(app, "traefik"), lifespan="off", log_level="critical", access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await running


async def test_an_error_in_the_middle_breaks_the_connection(address, client, me, user, sql, monkeypatch):
    await fill(sql, user, 1000)
    original = ArchiveQueries.pages

    async def pages(self):
        count = 0
        async for page in original(self):
            count += 1
            if count == 9:
                raise RuntimeError("broken")
            yield page

    async with httpx2.AsyncClient() as http:
        whole = await http.get(f"{address}{EXPORT}", headers=me)
        assert len(whole.json()["moments"]) == 1000
        monkeypatch.setattr(ArchiveQueries, "pages", pages)
        got = ""
        with pytest.raises(httpx2.RemoteProtocolError):
            async with http.stream("GET", f"{address}{EXPORT}", headers=me) as answer:
                assert answer.status_code == 200
                async for part in answer.aiter_text():
                    got += part
        with pytest.raises(json.JSONDecodeError):
            json.loads(got)


async def test_an_archive_ends_when_the_session_is_revoked(address, client, issuer, gate, user, sql, monkeypatch):
    await fill(sql, user, 1000)
    session = str(new_id())
    original = ArchiveQueries.pages

    async def pages(self):
        async for page in original(self):
            yield page
            gate.revoked.add(session)

    monkeypatch.setattr(ArchiveQueries, "pages", pages)
    async with httpx2.AsyncClient() as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.get(f"{address}{EXPORT}", headers=issuer.headers(user, sid=session))


async def test_a_slow_client_is_not_served_for_ever(resources, user, monkeypatch):
    async def nothing() -> None:
        return

    monkeypatch.setattr(archive, "MAX_SECONDS", -1)
    with pytest.raises(TimeoutError):
        async for _ in archive.archive(ArchiveQueries(resources.reads, user), user, now(), "{}", nothing):
            pass


async def test_a_lost_database_is_told_before_anything_is_sent(client, me, resources, monkeypatch):
    async def lost(*_, **__):
        raise ConnectionResetError("gone")

    monkeypatch.setattr(type(resources.reads), "first", lost)
    answer = await client.get(EXPORT, headers=me)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")


async def test_all_three_scopes_are_needed_and_the_limit_holds(client, issuer, resources, monkeypatch):
    for scope in ("tasks:read moments:read", "tasks:read profile:read", "profile:read moments:read"):
        assert (await client.get(EXPORT, headers=issuer.headers(new_id(), scope=scope))).status_code == 403
    assert (await client.get(EXPORT)).status_code == 401
    monkeypatch.setattr(resources.limiter, "_factor", 1)
    someone = issuer.headers(new_id())
    amount = endpoints.EXPORT_LIMIT.amount
    statuses = [(await client.get(EXPORT, headers=someone)).status_code for _ in range(amount + 1)]
    assert statuses == [200] * amount + [429]
