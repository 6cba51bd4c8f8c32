"""Whatever is sent: no route fails, and none answers what it does not document. GraphQL neither."""

import asyncio
import json
import re
from datetime import timedelta

import pytest
import schemathesis
from graphql import parse_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from grove.core.ids import new_id
from grove_resource.graphql.schema import SCHEMA

pytestmark = pytest.mark.integration
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
REST_EXAMPLES = 5
GRAPHQL_EXAMPLES = 6


@pytest.fixture
def send(client, issuer):
    """What was generated, as a user who has a task, an activity and a moment."""
    headers = issuer.headers(new_id())

    async def send(case):
        wanted = case.as_transport_kwargs(base_url="https://api.test")
        body = wanted.pop("data", None)
        if isinstance(body, dict):
            wanted["data"] = body
        elif body is not None:
            wanted["content"] = body
        if "files" in wanted:
            wanted["files"] = [(name, sendable(part)) for name, part in wanted["files"]]
        wanted.pop("cookies", None)
        answer = await client.request(**wanted | {"headers": {**wanted["headers"], **headers}})
        await answer.request.aread()  # a form was streamed
        answer.elapsed = timedelta()
        return answer

    return send


def sendable(part):
    """A part of a form as the client takes it: with text where something else was generated."""
    if isinstance(part, tuple):
        return (part[0], sendable(part[1]), *part[2:])
    return part if isinstance(part, bytes | str) else str(part)


def attack(strategy, examples: int, check) -> None:
    """Ask in many ways. Raises for the first answer that should not be."""

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=strategy)
    def run(case) -> None:
        check(case)

    run()


async def test_every_route_answers_as_documented(app, send):
    load_all_checks()
    loop = asyncio.get_running_loop()
    problems: list[str] = []
    asked = 0

    def check(case) -> None:
        nonlocal asked
        asked += 1
        answer = asyncio.run_coroutine_threadsafe(send(case), loop).result(30)
        case.validate_response(answer, checks=CHECKS)

    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                await asyncio.to_thread(attack, operation.as_strategy(generation_mode=mode), REST_EXAMPLES, check)
            except Unsatisfiable:
                continue  # the route takes nothing that could be wrong
            except Exception as error:  # noqa: BLE001 - all routes are looked at before the test fails
                problems.append(f"{operation.label} ({mode.value}): {error}")
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
    loop = asyncio.get_running_loop()
    headers = issuer.headers(new_id())
    codes: dict[str, int] = {}

    async def made(path: str, **body) -> str:
        answer = await client.post(f"/api/v1/{path}", json=body, headers=headers)
        return answer.json()["id"]

    def send(query: str) -> None:
        sent = client.post("/graphql", json={"query": query}, headers=headers)
        answer = asyncio.run_coroutine_threadsafe(sent, loop).result(30)
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

        def check(case, ids=ids) -> None:
            send(case.body)
            send(_ID.sub(lambda match: f'{match[1]}: "{ids[match[1]]}"', case.body))

        await asyncio.to_thread(attack, operation.as_strategy(), GRAPHQL_EXAMPLES, check)
    assert sum(codes.values()) > 200
    assert codes["none"] > 20
