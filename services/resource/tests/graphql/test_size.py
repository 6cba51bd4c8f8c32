"""How much is read and answered is bounded, and how many documents are kept."""

import json

import pytest
from graphql import GraphQLSchema

from grove_resource.graphql import activities, documents, room
from grove_resource.graphql.activities import MomentNode
from grove_resource.graphql.documents import Documents
from grove_resource.graphql.protocol import GraphQLRequest
from grove_resource.graphql.reads import AT_ONCE
from grove_resource.graphql.room import Room, Sized
from grove_resource.graphql.schema import SCHEMA

pytestmark = pytest.mark.integration

CREATE = "mutation ($input: CreateActivityInput!) { createActivity(input: $input) { activity { uuid } } }"
LOG = "mutation ($input: LogMomentInput!) { logMoment(input: $input) { moment { data } } }"
TIME = "2026-05-01T07:30:00Z"


@pytest.fixture
def activity(data):
    async def activity(**schema):
        found = await data(CREATE, input={"name": "Running", "dataSchema": {"type": "object", **schema}})
        return found["createActivity"]["activity"]["uuid"]

    return activity


@pytest.fixture
def log(data):
    async def log(activity, **given):
        found = await data(LOG, input={"activityId": activity, "occurredAt": TIME, "data": given})
        return found["logMoment"]["moment"]["data"]

    return log


def assert_too_large(answer):
    assert answer.status_code == 400, answer.text[:500]
    (error,) = answer.json()["errors"]
    assert answer.json().keys() == {"errors"}
    assert error["extensions"] | {"request_id": ""} == {
        "code": "BAD_REQUEST",
        "status": 400,
        "details": [],
        "request_id": "",
    }
    assert "8 MiB" in error["message"]


async def test_a_value_counts_each_time_that_it_is_answered(ask, activity, log, monkeypatch):
    long = await activity(description="ü" * 25_000)
    for number in range(12):
        await log(long, km=number)
    sized = []
    measure = Sized.size.func
    monkeypatch.setattr(Sized.size, "func", lambda self: sized.append(self) or measure(self))
    aliases = " ".join(f"a{number}: dataSchema" for number in range(16))
    query = f"query ($first: Int!) {{ moments(first: $first) {{ edges {{ node {{ activity {{ {aliases} }} }} }} }} }}"
    fits = await ask(query, first=10)
    assert (fits.status_code, len(fits.content) > 16 * 10 * 50_000) == (200, True)
    assert "ü" * 25_000 in fits.text
    assert len(sized) == 1
    assert_too_large(await ask(query, first=12))


async def test_rows_count_before_they_are_read(ask, activity, log, monkeypatch):
    diary = await activity()
    for number in range(3):
        await log(diary, number=number, note="x" * 10_000)
    monkeypatch.setattr(room, "MAX_BYTES", 25_000)
    monkeypatch.setattr(MomentNode, "of_json", None)
    for query in (
        "{ moments { edges { cursor } } }",
        "query ($id: ID!) { activity(id: $id) { moments { edges { cursor } } } }",
    ):
        answer = await ask(query, id=diary)
        assert_too_large(answer)


async def test_activities_of_moments_count_as_rows(ask, activity, log, monkeypatch):
    for number in range(3):
        await log(await activity(title=f"{number}" * 10_000))
    monkeypatch.setattr(room, "MAX_BYTES", 25_000)
    assert_too_large(await ask("{ moments { edges { node { activity { name } } } } }"))


async def test_changes_whose_answer_is_too_large_are_not_made(ask, data, activity, monkeypatch):
    diary = await activity()
    monkeypatch.setattr(room, "MAX_BYTES", 200)
    given = {"activityId": diary, "occurredAt": TIME, "data": {"note": "x" * 300}}
    made = 'createTask(input: {title: "A"}) { task { title } }'
    answer = await ask(LOG.replace("{ logMoment", f"{{ {made} logMoment"), input=given)
    assert_too_large(answer)
    assert await data("{ tasks { edges { cursor } } moments { edges { cursor } } }") == {
        "tasks": {"edges": []},
        "moments": {"edges": []},
    }


def test_a_size_is_that_of_the_text():
    value = {"a": "Straße\n", "b": [1.5, None, True]}
    assert Sized(value).size == len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    assert Room().answered(Sized(value)) is value


async def test_what_is_kept_of_documents_has_a_length(monkeypatch):
    assert isinstance(SCHEMA.core, GraphQLSchema)
    kept = Documents(SCHEMA.core, introspection=False)
    parsed = []
    parse = documents.parse
    monkeypatch.setattr(documents, "parse", lambda source, **more: parsed.append(source) or parse(source, **more))

    async def prepare(name: str) -> None:
        query = f"query {name} {{ __typename }}".ljust(documents.KEPT_CHARACTERS // 10)
        await kept.prepare(GraphQLRequest(query, None, {}))

    for number in range(10):
        await prepare(f"Q{number}")
    await prepare("Q0")
    assert len(parsed) == 10
    await prepare("Q10")  # takes the place of Q1, which was used least lately
    assert len(parsed) == 11
    await prepare("Q0")
    assert len(parsed) == 11
    await prepare("Q1")
    assert len(parsed) == 12


async def test_no_statement_begins_once_too_much_was_read(ask, activity, log, statements, monkeypatch):
    await log(await activity(), note="x" * 10_000)
    monkeypatch.setattr(room, "MAX_BYTES", 5_000)
    pages = " ".join(f"a{number}: moments(first: 1) {{ edges {{ cursor }} }}" for number in range(30))
    with statements() as noted:
        assert_too_large(await ask(f"{{ {pages} }}"))
    assert len(noted) == AT_ONCE


async def test_moments_of_many_activities_are_read_in_parts(data, activity, log, statements, monkeypatch):
    monkeypatch.setattr(activities, "ROWS_AT_ONCE", 6)
    for number in range(5):
        await log(await activity(), number=number)
    with statements() as noted:
        found = await data(
            '{ activities(sort: "created_at") { edges { node { moments(first: 3) { edges { node { data } } } } } } }'
        )
    assert len(noted) == 1 + 3
    pages = [edge["node"]["moments"]["edges"] for edge in found["activities"]["edges"]]
    assert [[edge["node"]["data"]["number"] for edge in page] for page in pages] == [[0], [1], [2], [3], [4]]
