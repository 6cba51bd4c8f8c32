"""What a schema may be, and what it costs."""

import pytest

from grove_resource.activities.data_schemas.child import problem_of
from grove_resource.activities.data_schemas.costs import cost_of
from grove_resource.activities.data_schemas.measure import Refused, measure, same_json
from grove_resource.activities.data_schemas.rules import subschemas_of


def holding(**properties) -> dict:
    return {"type": "object", "properties": properties}


def nested(levels: int) -> dict:
    schema: dict = {}
    for _ in range(levels):
        schema = {"not": schema}
    return {"type": "object", **schema}


def doubling(lines: int) -> dict:
    line = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i - 1}"}] * 2} for i in range(1, lines)}
    return {"type": "object", "$defs": {"a0": {}, **line}, "$ref": f"#/$defs/a{lines - 1}"}


GOOD = {
    "empty": {"type": "object"},
    "with its draft": {"type": "object", "$schema": "https://json-schema.org/draft/2020-12/schema"},
    "a reference": {"type": "object", "$defs": {"a/b": {"type": "string"}}, "$ref": "#/$defs/a~1b"},
    "an escaped reference": {"type": "object", "$defs": {"a b": {}}, "properties": {"x": {"$ref": "#/$defs/a%20b"}}},
    "a property's name": holding(**{"$id": {}, "$ref": {"type": "string"}, "$anchor": {}, "__proto__": {}, "ключ": {}}),
    "unknown words": {"type": "object", "x-unit": {"$id": "kg"}, "properties": {"a": {"format": "rune"}}},
    "800 properties": holding(**{f"p{i}": {"type": "number"} for i in range(800)}),
    "nesting": nested(31),
    "50 patterns": holding(**{f"p{i}": {"pattern": f"^[a-z]{{{i + 1}}}$"} for i in range(50)}),
    "unused recursion": {"type": "object", "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "huge bounds": holding(a={"minLength": 1e300, "multipleOf": 1e-308, "minimum": -(10**300)}),
    "references that double a few times": doubling(8),
}
BAD = {
    "no object": ({"type": "string"}, "", "object schema"),
    "no type": ({"properties": {}}, "", "object schema"),
    "several types": ({"type": ["object", "null"]}, "", "object schema"),
    "another draft": ({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}, "", "$schema"),
    "a draft that is no text": ({"type": "object", "$schema": ["x"]}, "", "$schema"),
    "an id": (holding(a={"$id": "http://x"}), "/properties/a", "$id"),
    "an anchor": (holding(a={"$anchor": "x"}), "/properties/a", "$anchor"),
    "a dynamic anchor": (holding(a={"$dynamicAnchor": "x"}), "/properties/a", "$dynamicAnchor"),
    "a dynamic reference": (holding(a={"$dynamicRef": "#x"}), "/properties/a", "$dynamicRef"),
    "a vocabulary": ({"type": "object", "$vocabulary": {}}, "", "$vocabulary"),
    "a remote reference": (holding(a={"$ref": "https://example.com/s"}), "/properties/a", "inside this one"),
    "a file": (holding(a={"$ref": "file:///etc/passwd"}), "/properties/a", "inside this one"),
    "the meta-schema": (holding(a={"$ref": "https://json-schema.org/draft/2020-12/schema"}), "/properties/a", "inside"),
    "a dangling reference": (holding(a={"$ref": "#/$defs/none"}), "/properties/a", "inside this one"),
    "a reference to what is no schema": (
        {"type": "object", "enum": [{"type": "x"}], "$ref": "#/enum/0"},
        "",
        "inside this one",
    ),
    "a reference that is no text": (holding(a={"$ref": 5}), "/properties/a", "inside this one"),
    "recursion": (holding(a={"$ref": "#"}), "", "lead back"),
    "a circle": (
        {"type": "object", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        "/$defs/a",
        "lead back",
    ),
    "a number that is none": (holding(a={"minimum": float("inf")}), "", "number"),
    "a negative length": (holding(a={"minLength": -1}), "/properties/a/minLength", ""),
    "an endless multiple": (holding(a={"multipleOf": 0}), "/properties/a/multipleOf", ""),
    "items of the old kind": (holding(a={"items": [{}]}), "/properties/a/items", ""),
    "a look-ahead": (holding(a={"pattern": "(?=a)b"}), "/properties/a/pattern", "regex"),
    "a back-reference": (holding(a={"pattern": r"(a)\1"}), "/properties/a/pattern", "regex"),
    "an exploding pattern": (holding(a={"pattern": "((a{200}){200}){200}"}), "/properties/a/pattern", "regex"),
    "a broken name pattern": (holding(a={"patternProperties": {"(": {}}}), "/properties/a/patternProperties/(", ""),
    "a long pattern": (holding(a={"pattern": "a" * 201}), "/properties/a", "200 characters"),
    "51 patterns": (holding(a={"patternProperties": {f"a{i}": {} for i in range(51)}}), "", "50 regular"),
    "1001 schemas": ({"type": "object", "allOf": [True] * 1000}, "", "1000 schemas"),
    "deep nesting": (nested(32), "", "32 levels"),
    "64 KiB": ({"type": "object", "title": "x" * 65536}, "", "64 KiB"),
    "references that double": (doubling(30), "", "2000 schemas"),
    "a long chain": (
        {"type": "object", "$defs": {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(900)} | {"a900": {}}}
        | {"$ref": "#/$defs/a0"},
        "",
        "64 levels",
    ),
}


@pytest.mark.parametrize("schema", GOOD.values(), ids=GOOD)
def test_a_good_schema_is_taken(schema):
    assert problem_of(schema) is None


@pytest.mark.parametrize(("schema", "pointer", "words"), BAD.values(), ids=BAD)
def test_a_bad_schema_is_refused_with_the_place(schema, pointer, words):
    problem = problem_of(schema)
    assert problem is not None
    assert problem["pointer"] == pointer
    assert words in problem["message"]
    assert len(problem["message"]) <= 200


def test_looking_again_multiplies_the_cost():
    schema: dict = {"properties": {"z": {"type": "string"}}}
    for _ in range(7):
        schema = {"unevaluatedProperties": {"type": "number"}, "allOf": [schema]}
    with pytest.raises(Refused, match="2000 schemas"):
        cost_of(subschemas_of({"type": "object", **schema}))


def test_long_lists_cost_and_named_schemas_alone_do_not():
    bare = cost_of(subschemas_of({"type": "object", "$defs": {f"a{i}": {} for i in range(900)}}))
    listed = cost_of(subschemas_of(holding(a={"enum": list(range(1000))})))
    assert (bare.checks, bare.patterns) == (1, 0)
    assert listed.checks > 100


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1e308, 10**308, True),
        (0.1, 0.1, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        ("1", 1, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({}, [], False),
    ],
)
def test_the_same_json(one, other, same):
    assert same_json(one, other) is same


def test_the_size_of_a_value():
    size = measure({"aé": ["x", 1, None], "b": {}}, max_values=100, max_depth=3)
    assert (size.values, size.depth, size.text) == (6, 2, 5)
    for value in (float("nan"), float("-inf"), 1 << 1024):
        with pytest.raises(Refused):
            measure([value], max_values=100, max_depth=3)
    measure([(1 << 1024) - 1], max_values=2, max_depth=1)
