"""What filters by data mean, said a second time in Python, over many kinds of data and names."""

import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.integration
MOMENTS = "/api/v1/moments"
SPAN = "occurred_from=2026-01-01T00:00:00Z&occurred_to=2027-01-01T00:00:00Z"

SCALARS = st.sampled_from([None, True, False, 0, 1, -3, 5, 0.5, -1.5, "5", "1", "a", 'q"', "\\", "true", "null", "ü"])
KEYS = st.sampled_from(["a", "b", 'q"', "back\\slash", "ключ", "$", "x'y", "@", "a b", "gte", "*", "😀", "\n", "0"])
DATA = st.recursive(SCALARS, lambda inside: st.dictionaries(KEYS, inside, max_size=3) | st.lists(inside, max_size=2))
VALUES = st.sampled_from(
    ["1", "1.0", "-3", "0.5", "5", "a", 'q"', '"a"', "true", "null", "\\", "[1]", "1e0", "x' OR 1=1", "", "ü", "{}"]
)
PATHS = st.lists(KEYS, min_size=1, max_size=3)
OPERATORS = st.sampled_from(["", ".gte", ".lte"])


@st.composite
def documents(draw) -> dict:
    """Data with a scalar at some path, so that filters find something."""
    whole = draw(st.dictionaries(KEYS, DATA, max_size=3))
    inner, path = whole, draw(PATHS)
    for key in path[:-1]:
        inner[key] = {}
        inner = inner[key]
    scalar = draw(SCALARS)
    inner[path[-1]] = draw(st.sampled_from([scalar, scalar, [scalar], [{path[0]: scalar}]]))
    return whole


def scalars_of(whole: dict) -> list[tuple[tuple[str, ...], str]]:
    """The scalars that there are: path, as if lists were not there, and how one would ask for it."""
    found: list[tuple[tuple[str, ...], str]] = []
    for key, value in whole.items():
        for inner in value if isinstance(value, list) else [value]:  # what is in a list must not be found
            if isinstance(inner, dict):
                found += [((key, *path), text) for path, text in scalars_of(inner)]
            elif not isinstance(inner, list):
                found.append(((key,), inner if isinstance(inner, str) else json.dumps(inner)))
    return found


def reads_as(value: str) -> object:
    try:
        scalar = json.loads(value)
    except ValueError:
        return value
    return value if isinstance(scalar, list | dict) else scalar


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(one: object, other: object) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def matches(data: object, path: tuple[str, ...], operator: str, value: str) -> bool:
    """The model."""
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    if not operator:
        return not isinstance(data, dict | list) and (equal(data, value) or equal(data, reads_as(value)))
    bound = reads_as(value) if is_number(reads_as(value)) else value
    alike = is_number(data) and is_number(bound), isinstance(data, str) and isinstance(bound, str)
    return any(alike) and (data >= bound if operator == ".gte" else data <= bound)


async def test_filters_find_what_the_model_says(client, me, define, log):
    cases: list[tuple[list[dict], list]] = []
    asked = st.lists(st.tuples(PATHS, OPERATORS, VALUES), min_size=10, max_size=20)

    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        stored=st.lists(documents(), min_size=15, max_size=25), asked=asked, operators=st.lists(OPERATORS, min_size=9)
    )
    def collect(stored, asked, operators):
        there = [scalar for document in stored for scalar in scalars_of(document) if len(scalar[0]) <= 5]
        cases.append((stored, asked + [(path, operators[i % 9], text) for i, (path, text) in enumerate(there[:40])]))

    collect()
    hits = 0
    for stored, questions in cases:
        activity = await define({"type": "object"})
        ids = {(await log(activity, document))["id"]: document for document in stored}
        for path, operator, value in questions:
            if not operator and len(path) > 1 and path[-1] in {"gte", "lte"}:
                continue  # which would be the operator
            name = quote(".".join(["data", *path]) + operator)
            query = f"{name}={quote(value)}&activity_id={activity['id']}&{SPAN}&size=100"
            answer = await client.get(f"{MOMENTS}?{query}", headers=me)
            assert answer.status_code == 200, (query, answer.text)
            wanted = {key for key, document in ids.items() if matches(document, tuple(path), operator, value)}
            assert {item["id"] for item in answer.json()["items"]} == wanted, (path, operator, value)
            hits += len(wanted)
    assert hits > 100
