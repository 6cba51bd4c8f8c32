"""Idempotency-Key over GraphQL: what is kept of an answer is what REST would keep."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from grove.core.errors import Conflict, RateLimited, ServiceUnavailable
from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove_resource.graphql import room
from grove_resource.tasks.repository import TaskRepository
from grove_resource.tasks.service import TaskService

pytestmark = pytest.mark.integration

TITLES = '{ tasks(sort: "title") { edges { node { title } } } }'
TWO = """mutation { a: createTask(input: {title: "A"}) { task { title } }
  b: createTask(input: {title: "B"}) { task { title } } }"""
BOTH = {"a": {"task": {"title": "A"}}, "b": {"task": {"title": "B"}}}


def held_by_others() -> DBAPIError:
    """What comes of a lock that is not had in time."""
    original = Exception("asyncpg's, as SQLAlchemy has it")
    original.__cause__ = asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
    return DBAPIError("SELECT", {}, original)


@pytest.fixture
def repeat(ask, me):
    """Asks with the same key each time."""
    return lambda query, **variables: ask(query, me | {"Idempotency-Key": "k1"}, **variables)


@pytest.fixture
def titles(data):
    async def titles():
        return [edge["node"]["title"] for edge in (await data(TITLES))["tasks"]["edges"]]

    return titles


@pytest.fixture
def kept(resources):
    async def kept() -> int:
        async with resources.engine.connect() as connection:
            return (await connection.execute(text("SELECT count(*) FROM idempotency_keys"))).scalar_one()

    return kept


@pytest.fixture
def failing(monkeypatch):
    """Makes the creation of one task fail from now on; None: no more."""
    original = TaskService.create
    raised: dict[str, Exception] = {}

    async def create(self, data):
        if data.title in raised:
            raise raised[data.title]
        return await original(self, data)

    monkeypatch.setattr(TaskService, "create", create)

    def failing(title: str, error: Exception | None) -> None:
        raised.clear()
        if error is not None:
            raised[title] = error

    return failing


@pytest.mark.parametrize(
    ("error", "code", "status", "retry_after"),
    [
        (ServiceUnavailable(retry_after=7), "SERVICE_UNAVAILABLE", 503, 7),
        (RateLimited(7), "RATE_LIMITED", 429, 7),
        (Conflict(), "CONFLICT", 409, None),
        (RuntimeError("unknown"), "INTERNAL_ERROR", 500, None),
        (held_by_others(), "SERVICE_UNAVAILABLE", 503, 1),
    ],
)
async def test_a_failure_that_may_pass_takes_back_the_request_and_is_not_kept(
    repeat, titles, kept, failing, resources, error, code, status, retry_after
):
    failing("B", error)
    for _ in range(2):
        answer = await repeat(TWO)
        assert (answer.status_code, answer.json()["data"]) == (200, None)
        assert "idempotency-replayed" not in answer.headers
        whole, one = answer.json()["errors"]
        assert ("path" in whole, one["path"]) == (False, ["b"])
        for each in (whole, one):
            assert (each["extensions"]["code"], each["extensions"]["status"]) == (code, status)
            assert each["extensions"].get("retry_after") == retry_after
        assert "same Idempotency-Key" in whole["message"]
        assert (await titles(), await kept(), await outbox_types(resources.engine)) == ([], 0, [])
    failing("B", None)
    assert (await repeat(TWO)).json() == {"data": BOTH}
    again = await repeat(TWO)
    assert (again.json(), again.headers["idempotency-replayed"]) == ({"data": BOTH}, "true")
    assert await titles() == ["A", "B"]


async def test_without_a_key_the_other_changes_are_kept(ask, titles, failing):
    failing("B", ServiceUnavailable())
    answer = await ask(TWO)
    assert answer.json()["data"] == BOTH | {"b": None}
    assert await titles() == ["A"]


async def test_what_fails_for_good_is_kept_with_the_changes_beside_it(repeat, titles, kept):
    wrong = TWO.replace('title: "B"', 'title: ""')
    first, again = await repeat(wrong), await repeat(wrong)
    assert first.json()["data"] == BOTH | {"b": None}
    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")
    assert (await titles(), await kept()) == (["A"], 1)


async def test_a_request_that_is_refused_leaves_its_key_free(repeat, titles, kept, monkeypatch):
    create = "mutation ($title: String!) { createTask(input: {title: $title}) { task { title } } }"
    for wrong in ({}, {"title": 1}):
        assert (await repeat(create, **wrong)).status_code == 400
    assert (await repeat("mutation { nothing }")).status_code == 400
    with monkeypatch.context() as patch:
        patch.setattr(room, "MAX_BYTES", -1)
        large = TWO.replace("title }", "subtasks { edges { cursor } } }")
        assert (await repeat(large)).status_code == 400
    assert await kept() == 0
    assert (await repeat(create, title="A")).json()["data"] == {"createTask": {"task": {"title": "A"}}}
    assert (await titles(), await kept()) == (["A"], 1)


async def test_a_query_has_no_use_for_a_key(repeat, kept, task):
    await task("A")
    assert [len((await repeat(TITLES)).json()["data"]["tasks"]["edges"]) for _ in range(2)] == [1, 1]
    await task("B")
    answer = await repeat(TITLES)
    assert (len(answer.json()["data"]["tasks"]["edges"]), await kept()) == (2, 0)
    assert "idempotency-replayed" not in answer.headers
    assert (await repeat(TWO)).json()["data"] == BOTH


async def test_a_token_with_other_scopes_is_not_told_what_the_first_one_was(client, issuer, titles):
    user, key = new_id(), {"Idempotency-Key": "k1"}
    narrow = await client.post("/graphql", json={"query": TWO}, headers=issuer.headers(user) | key)
    assert narrow.json()["data"] == BOTH
    other = issuer.headers(user, scope="tasks:read profile:read") | key
    refused = await client.post("/graphql", json={"query": TWO}, headers=other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    again = await client.post("/graphql", json={"query": TWO}, headers=issuer.headers(user) | key)
    assert (again.json(), again.headers["idempotency-replayed"]) == ({"data": BOTH}, "true")


async def test_a_second_request_while_the_first_runs_is_a_409(repeat, titles, monkeypatch):
    original, begun, goes_on = TaskRepository.add, asyncio.Event(), asyncio.Event()

    async def add(self, task, **more):
        begun.set()
        await goes_on.wait()
        await original(self, task, **more)

    monkeypatch.setattr(TaskRepository, "add", add)
    first = asyncio.create_task(repeat(TWO))
    await begun.wait()
    second = await repeat(TWO)
    assert (second.status_code, second.json()["error"]["code"]) == (409, "CONFLICT")
    goes_on.set()
    assert (await first).json()["data"] == BOTH
    assert await titles() == ["A", "B"]
