"""Examples of the reference are what the schemas say."""

import pytest

from grove_gateway.reference.examples import Examples

SCHEMAS = {
    "Status": {"enum": ["pending", "done"]},
    "Name": {"type": "string", "examples": ["Plant a tree"]},
    "Task": {
        "type": "object",
        "required": ["title"],
        "properties": {
            "title": {"$ref": "#/components/schemas/Name"},
            "status": {"$ref": "#/components/schemas/Status"},
        },
    },
    "Tree": {
        "type": "object",
        "properties": {"trees": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    },
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "examples": ["x"], "default": "y"}, "x"),
        ({"type": "integer", "default": 20}, 20),
        ({"type": "boolean", "default": False}, False),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, True),
        ({"const": "bearer"}, "bearer"),
        ({"type": "string", "format": "date"}, "2026-11-21"),
        ({"type": "string"}, "<refresh token>"),
        ({"type": "string", "maxLength": 4}, "<ref"),
        ({"anyOf": [{"type": "null"}, {"type": "string", "examples": ["de"]}]}, "de"),
        ({"allOf": [{"$ref": "#/components/schemas/Status"}]}, "pending"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Name"}}, ["Plant a tree"]),
        ({"type": "array"}, []),
        ({"$ref": "#/components/schemas/Missing"}, None),
        ({}, None),
    ],
)
def test_a_value_is_what_the_schema_says(schema, value):
    assert Examples(SCHEMAS, sent=False).of(schema, "refresh_token") == value


def test_what_may_be_left_out_is_got_but_not_sent():
    task = {"$ref": "#/components/schemas/Task"}
    assert Examples(SCHEMAS, sent=False).of(task) == {"title": "Plant a tree", "status": "pending"}
    assert Examples(SCHEMAS, sent=True).of(task) == {"title": "Plant a tree"}


def test_schemas_that_hold_themselves_come_to_an_end():
    assert str(Examples(SCHEMAS, sent=False).of({"$ref": "#/components/schemas/Tree"})).count("trees") == 3
