"""What an operation costs, and that counting it costs little."""

import pytest
from graphql import OperationDefinitionNode, parse

from grove_resource.graphql import limits
from grove_resource.graphql.errors import Refused

CHANGE = 'restoreTask(id: "x") { __typename }'


def doubling(levels: int, kind: str, inner: str) -> str:
    """An operation whose fragments spread one another twice: 2^levels times `inner`."""
    fragments = [f"fragment F{level} on {kind} {{ ...F{level + 1} ...F{level + 1} }}" for level in range(levels)]
    return f"{kind.lower()} {{ ...F0 }} {' '.join(fragments)} fragment F{levels} on {kind} {{ {inner} }}"


def cost(source: str, **variables) -> limits.Cost:
    document = parse(source)
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    return limits.Cost(frozenset({"tasks", "subtasks"}), limits.fragments_of(document), operation, variables)


@pytest.mark.parametrize(("kind", "inner"), [("Mutation", CHANGE), ("Query", "tasks { __typename }")])
def test_a_fragment_is_counted_once_however_often_it_is_spread(kind, inner):
    with pytest.raises(Refused, match="costs"):  # a walk of each spread would have 2^200 steps
        cost(doubling(200, kind, inner)).check()


@pytest.mark.integration
async def test_a_document_of_doubling_fragments_is_refused_by_its_cost(ask):
    answer = await ask(doubling(24, "Mutation", CHANGE))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert f"costs {2**24 * (limits.MUTATION_COST + 2)}" in error["message"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{ a: __typename b: __typename }", 2),
        ("{ tasks { edges { cursor } } }", limits.PAGE_COST + 20 * 2),
        ("{ ... { tasks(first: 3) { __typename } } }", limits.PAGE_COST + 3),
        ("{ ...A } fragment A on Query { tasks(first: 3) { __typename } }", limits.PAGE_COST + 3),
        ('{ task(id: "x") { subtasks(first: 3) { __typename } } }', 2 + 3),
        (f"mutation {{ {CHANGE} b: {CHANGE} }}", 2 * (limits.MUTATION_COST + 2)),
        ("mutation { ... { ...A } } fragment A on Mutation { " + CHANGE + " }", limits.MUTATION_COST + 2),
    ],
)
def test_a_page_at_the_root_and_a_change_weigh_more(source, expected):
    assert cost(source).count() == expected


@pytest.mark.integration
async def test_thirty_pages_of_one_row_cost_their_statements(ask):
    pages = " ".join(f"a{i}: moments(first: 1) {{ edges {{ node {{ id uuid createdAt }} }} }}" for i in range(30))
    assert (await ask(f"{{ {pages} }}")).status_code == 200
    rows = " ".join(f"a{i}: moments(first: 25) {{ edges {{ cursor }} }}" for i in range(30))
    answer = await ask(f"{{ {rows} }}")
    assert f"costs {30 * (limits.PAGE_COST + 25 * 2)}" in answer.json()["errors"][0]["message"]
