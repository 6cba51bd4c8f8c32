"""Whatever is sent: no route fails, and none answers what it does not document. GraphQL neither."""

import json
import re
from functools import partial

import pytest
import schemathesis
from graphql import parse_value
from hypothesis import strategies as st

from grove.core.ids import new_id
from grove.testing.generated import attack, send, undocumented
from grove_resource.graphql.schema import SCHEMA

pytestmark = pytest.mark.integration
REST_EXAMPLES = 5
GRAPHQL_EXAMPLES = 6


async def test_every_route_answers_as_documented(app, client, issuer):
    headers = issuer.headers(new_id())

    async def sender():
        return partial(send, client, headers=headers)

    problems, asked = await undocumented(app, REST_EXAMPLES, sender)
    assert problems == []
    assert asked > 150


_NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3), max_leaves=5
)
_ID = re.compile(r'\b(id|activityId|parentId): (?:"(?:[^"\\]|\\.)*"|-?\d+)')


def literal(value) -> str:
    """A JSON value as GraphQL writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value).replace("Infinity", "1e999")


async def test_every_field_of_graphql_survives(client, issuer):
    """With ids that are none and with ids that there are, it answers with data, or errors that are the client's."""
    schemathesis.graphql.scalar(
        "JSON", st.dictionaries(_NAMES, _VALUES, max_size=3).map(lambda value: parse_value(literal(value)))
    )
    headers = issuer.headers(new_id())
    codes: dict[str, int] = {}

    async def made(path: str, **body) -> str:
        answer = await client.post(f"/api/v1/{path}", json=body, headers=headers)
        return answer.json()["id"]

    async def ask(query: str) -> None:
        answer = await client.post("/graphql", json={"query": query}, headers=headers)
        assert answer.status_code in {200, 400, 422}, (query, answer.text)  # 422: NUL characters
        errors = answer.json().get("errors", [answer.json().get("error")] if answer.status_code == 422 else [])
        for code in [error.get("extensions", error)["code"] for error in errors] or ["none"]:
            assert code != "INTERNAL_ERROR", (query, answer.text)
            codes[code] = codes.get(code, 0) + 1

    for found in schemathesis.graphql.from_file(SCHEMA.as_str()).get_all_operations():
        operation = found.ok()
        task = await made("tasks", title="T")
        activity = await made("activities", name="A", data_schema={"type": "object"})
        moment = await made("moments", activity_id=activity, occurred_at="2026-05-01T07:30:00Z", data={})
        own = {"Task": task, "Activity": activity, "Moment": moment}
        there = next((own[kind] for kind in own if kind.lower() in operation.label.lower()), task)
        ids = {"id": there, "activityId": activity, "parentId": task}

        async def check(case, ids=ids) -> None:
            await ask(case.body)
            await ask(_ID.sub(lambda match: f'{match[1]}: "{ids[match[1]]}"', case.body))

        await attack(operation.as_strategy(), GRAPHQL_EXAMPLES, check)
    assert sum(codes.values()) > 200
    assert codes["none"] > 20
