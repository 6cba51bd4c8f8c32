"""One request is one transaction, of which only the changes that fail are left out."""

import asyncio

import pytest
from sqlalchemy import text

from grove.core.ids import new_id
from grove.postgres.reads import Statement
from grove.testing.postgres import outbox_types
from grove_resource.tasks.repository import TaskQueries, TaskRepository

pytestmark = pytest.mark.integration

TITLES = '{ tasks(sort: "title") { edges { node { title } } } }'


@pytest.fixture
def titles(data):
    async def titles():
        return [edge["node"]["title"] for edge in (await data(TITLES))["tasks"]["edges"]]

    return titles


async def test_an_error_takes_back_its_own_change_only(ask, titles, resources, task):
    answer = await ask(
        """mutation { a: createTask(input: {title: "A"}) { task { title } }
          b: createTask(input: {title: ""}) { task { title } }
          c: completeTask(id: "0198f76e-6b9a-7c3b-8c42-0b96d56e2a11") { task { title } }
          d: createTask(input: {title: "D"}) { task { title } } }"""
    )
    assert answer.status_code == 200
    assert answer.json()["data"] == {"a": {"task": {"title": "A"}}, "b": None, "c": None, "d": {"task": {"title": "D"}}}
    assert [error["path"] for error in answer.json()["errors"]] == [["b"], ["c"]]
    assert await titles() == ["A", "D"]
    assert await outbox_types(resources.engine) == ["resource.task.created.v1"] * 2


async def test_a_change_that_fails_halfway_leaves_nothing_and_the_next_goes_on(ask, titles, resources, monkeypatch):
    original = TaskRepository.add

    async def add(self, task, **more):
        await original(self, task, **more)
        if task.title == "Broken":
            await self._session.execute(text("SELECT 1 / 0"))

    monkeypatch.setattr(TaskRepository, "add", add)
    answer = await ask(
        """mutation { a: createTask(input: {title: "Broken"}) { task { title } }
          b: createTask(input: {title: "Whole"}) { task { title } } }"""
    )
    assert answer.json()["data"] == {"a": None, "b": {"task": {"title": "Whole"}}}
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL_ERROR"
    assert "division" not in answer.text
    assert await titles() == ["Whole"]
    assert await outbox_types(resources.engine) == ["resource.task.created.v1"]


async def test_what_is_read_behind_a_change_sees_it(data, task):
    mother = await task("Mother")
    found = await data(
        """mutation ($parent: ID!) { createTask(input: {title: "Child", parentId: $parent}) {
          task { title parent { title subtasks { edges { node { title } } } } } } }""",
        parent=mother["id"],
    )
    assert found["createTask"]["task"]["parent"] == {
        "title": "Mother",
        "subtasks": {"edges": [{"node": {"title": "Child"}}]},
    }


async def test_a_read_that_fails_behind_a_change_does_not_undo_it(ask, titles, task, monkeypatch):
    mother = await task("Mother")
    monkeypatch.setattr("grove_resource.graphql.tasks._BY_IDS", Statement("SELECT 1 / 0"))
    answer = await ask(
        """mutation ($parent: ID!) { createTask(input: {title: "Child", parentId: $parent}) {
          task { title parent { title } } } }""",
        parent=mother["id"],
    )
    assert answer.json()["data"]["createTask"]["task"] == {"title": "Child", "parent": None}
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"
    assert await titles() == ["Child", "Mother"]


async def test_a_repeated_key_repeats_the_answer(client, me, titles, resources):
    body = {"query": 'mutation { createTask(input: {title: "Once"}) { task { uuid } } }'}
    headers = me | {"Idempotency-Key": "k1"}
    first = await client.post("/graphql", json=body, headers=headers)
    again = await client.post("/graphql", json=body, headers=headers)
    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (200, 200, "true")
    assert (first.json(), first.headers["content-type"]) == (again.json(), again.headers["content-type"])
    assert await titles() == ["Once"]
    other = await client.post("/graphql", json={"query": body["query"].replace("Once", "Twice")}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_changes_in_circles_end_with_a_conflict_and_nothing_is_half_done(ask, data, task):
    one, two = await task("One"), await task("Two")
    both = """mutation ($a: ID!, $b: ID!, $title: String) {
      a: updateTask(id: $a, input: {title: $title}) { task { title } }
      b: updateTask(id: $b, input: {title: $title}) { task { title } } }"""
    seen = []
    for turn in range(10):
        answers = await asyncio.gather(
            ask(both, a=one["id"], b=two["id"], title=f"x{turn}"), ask(both, a=two["id"], b=one["id"], title=f"y{turn}")
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        for error in (error for answer in answers for error in answer.json().get("errors", [])):
            assert (error["extensions"]["code"], error["extensions"]["status"]) == ("CONFLICT", 409)
            seen.append(error)
        if seen:
            break
    assert seen


@pytest.mark.parametrize("scopes", ["tasks:read", "tasks:write", "profile:read"])
async def test_each_field_needs_the_scope_of_its_route(issuer, ask, task, scopes):
    user = new_id()
    mine = await task(headers=issuer.headers(user))
    headers = issuer.headers(user, scope=scopes)
    read = (await ask(TITLES, headers)).json()
    node = (await ask("query ($id: ID!) { node(id: $id) { id } }", headers, id="dGFzazox")).json()
    write = await ask(
        "mutation ($id: ID!) { completeTask(id: $id) { task { completed subtasks { edges { cursor } } } } }",
        headers,
        id=mine["id"],
    )
    write = write.json()
    if scopes == "tasks:read":
        assert "errors" not in read
        assert write["data"] == {"completeTask": None}
    else:
        assert read["data"] == {"tasks": None}
        assert read["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert "tasks:read" in read["errors"][0]["message"]
    if scopes == "tasks:write":
        assert write["data"] == {"completeTask": {"task": {"completed": True, "subtasks": None}}}
        assert write["errors"][0]["path"] == ["completeTask", "task", "subtasks"]
    else:
        assert write["errors"][0]["extensions"] | {"request_id": ""} == {
            "code": "FORBIDDEN",
            "status": 403,
            "details": [],
            "request_id": "",
        }
    assert node["data"] == {"node": None}


async def test_what_nobody_expects_is_logged_and_not_told(ask, monkeypatch):
    async def broken(*_):
        raise RuntimeError("the secret")

    monkeypatch.setattr(TaskQueries, "get", broken)
    answer = await ask("query ($id: ID!) { task(id: $id) { id } }", id=str(new_id()))
    assert (answer.status_code, answer.json()["data"]) == (200, {"task": None})
    assert answer.json()["errors"][0]["extensions"]["code"] == "INTERNAL_ERROR"
    assert "secret" not in answer.text


async def test_a_slow_operation_is_ended_and_changes_nothing(ask, titles, app, monkeypatch):
    async def slow(*_):
        await asyncio.sleep(60)

    resources = app.state.resources
    monkeypatch.setattr(TaskQueries, "get", slow)
    monkeypatch.setattr(TaskRepository, "can_be_parent", slow)
    monkeypatch.setattr(resources, "settings", resources.settings.model_copy(update={"graphql_seconds": 0.3}))
    for query in (
        "query ($id: ID!) { task(id: $id) { id } }",
        """mutation ($id: ID!) { a: createTask(input: {title: "A"}) { task { id } }
          b: createTask(input: {title: "B", parentId: $id}) { task { id } } }""",
    ):
        answer = await ask(query, id=str(new_id()))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"]
    assert await titles() == []


async def test_a_lost_database_is_a_503(ask, monkeypatch):
    async def lost(*_, **__):
        raise ConnectionResetError("gone")

    monkeypatch.setattr(TaskQueries, "get", lost)
    monkeypatch.setattr(TaskRepository, "add", lost)
    for query in (
        "query ($id: ID!) { task(id: $id) { id } }",
        'mutation { createTask(input: {title: "A"}) { task { id } } }',
    ):
        answer = await ask(query, id=str(new_id()))
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
