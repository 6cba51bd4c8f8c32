"""Limits of documents: what exceeds one is refused before anything is executed."""

import pytest
from graphql import get_introspection_query

from grove_resource.graphql import limits

pytestmark = pytest.mark.integration


def nested(levels: int) -> str:
    """An operation that deep, of pages with one row."""
    inner = "id"
    for _ in range(levels - 2):
        inner = f"parent {{ {inner} }}"
    return f'{{ task(id: "x") {{ {inner} }} }}'


def page(fields: int, first: int | str = 100) -> str:
    """An operation that costs PAGE_COST + first × (2 + fields)."""
    names = " ".join(["title", "dueAt", "priority", "completed", "createdAt"][:fields])
    return f"{{ tasks(first: {first}) {{ edges {{ node {{ {names} }} }} }} }}"


REFUSED = {
    "depth": nested(limits.MAX_DEPTH + 1),
    "depth in fragments": '{ task(id: "x") { ...A } } fragment A on Task { parent { ...B } } fragment B on Task '
    + "{ parent { " * 8
    + "title"
    + " } }" * 8,
    "aliases": "{ " + " ".join(f"a{i}: __typename" for i in range(limits.MAX_ALIASES + 1)) + " }",
    "a long alias": f"{{ {'a' * (limits.MAX_ALIAS + 1)}: __typename }}",
    "directives": "{ " + "__typename @skip(if: false) " * (limits.MAX_DIRECTIVES + 1) + "}",
    "directives at one place": "{ __typename @skip(if: false) @skip(if: false) }",
    "fields": "{ " + "__typename " * (limits.MAX_FIELDS + 1) + "}",
    "fragments": "{ " + "... { __typename } " * (limits.MAX_FRAGMENTS + 1) + "}",
    "tokens": "{ " + "a " * limits.MAX_TOKENS + "}",
    "comments": "#\n" * (limits.MAX_COMMENTS + 1) + "{ __typename }",
    "length": "{ __typename }" + " " * limits.MAX_SOURCE,
    "nesting without end": "{ a " * 500 + "}" * 500,
    "values without end": "{ task(id: " + "[" * 900 + "]" * 900 + ") { id } }",
    "a fragment in itself": '{ task(id: "x") { ...A } } fragment A on Task { title parent { ...A } }',
    "fragments in one another": '{ task(id: "x") { ...A } } fragment A on Task { ...B ...B } '
    "fragment B on Task { ...A title }",
    "cost": "{ tasks(first: 100) { edges { node { subtasks(first: 20) { edges { cursor } } } } } }",
    "cost of the usual page": "{ tasks { edges { node { subtasks { edges { node { id title dueAt } } } } } } }",
    "cost by fragments": "{ a: tasks(first: 100) { ...A } b: tasks(first: 100) { ...A } } fragment A on TaskConnection "
    "{ edges { node { id uuid title description completed priority role etag userId } } }",
    "cost of changes": "mutation { "
    + " ".join(f'a{i}: createTask(input: {{title: "x"}}) {{ task {{ id }} }}' for i in range(30))
    + " ".join(" ... { deleteTask(id: 1) { deletedId } }" for i in range(10))
    + "}",
}


@pytest.mark.parametrize("which", REFUSED)
async def test_what_exceeds_a_limit_is_refused(ask, which):
    answer = await ask(REFUSED[which])
    assert answer.status_code == 400, answer.text
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"BAD_REQUEST"}


@pytest.mark.parametrize(
    ("variables", "status"), [({"n": 9}, 200), ({"n": 100}, 400), ({"n": "100"}, 400), ({}, 200), ({"n": -1}, 200)]
)
async def test_the_cost_counts_the_rows_that_variables_ask_for(ask, variables, status):
    inner = "title subtasks(first: $n) { edges { node { title } } }"
    query = f"query ($n: Int! = 10) {{ tasks(first: 20) {{ edges {{ node {{ {inner} }} }} }} }}"
    assert (await ask(query, **variables)).status_code == status


@pytest.mark.parametrize(
    "query",
    [
        page(5),
        nested(limits.MAX_DEPTH),
        "{ tasks { edges { cursor node { id title dueAt subtasks(first: 10) { edges { node { id title } } } } } } }",
        "{ " + " ".join(f"a{i}: __typename" for i in range(limits.MAX_ALIASES)) + " }",
        f"{{ {'a' * limits.MAX_ALIAS}: __typename }}",
    ],
)
async def test_normal_use_fits(ask, query):
    assert (await ask(query)).status_code == 200


async def test_a_document_is_read_once(ask, monkeypatch):
    query = "query Once { __typename }"
    assert (await ask(query)).status_code == 200
    monkeypatch.setattr("grove_resource.graphql.documents.parse", None)
    assert (await ask(query)).status_code == 200


async def test_the_schema_is_not_told_unless_the_setting_says_so(ask, app, monkeypatch):
    wrong = "{ tasks { edges { node { titel } } } }"
    resources = app.state.resources
    settings = resources.settings
    monkeypatch.setattr(resources, "settings", settings.model_copy(update={"graphql_introspection": False}))
    closed = await ask(get_introspection_query())
    assert closed.status_code == 400
    assert (await ask('{ __type(name: "Task") { name } }')).status_code == 400
    assert "Did you mean" not in (await ask(wrong)).text
    made = "mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }"
    assert "Did you mean" not in (await ask(made, input={"titel": "x"})).text
    monkeypatch.setattr(resources, "settings", settings.model_copy(update={"graphql_introspection": True}))
    found = (await ask(get_introspection_query())).json()["data"]["__schema"]
    assert {"Query", "Mutation", "Task", "DateTime"} <= {kind["name"] for kind in found["types"]}
    assert "Did you mean 'title'?" in (await ask(wrong)).text
    assert "Did you mean 'title'?" in (await ask(made, input={"titel": "x"})).text
