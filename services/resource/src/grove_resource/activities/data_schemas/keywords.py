"""Where a schema of JSON Schema 2020-12 holds other schemas."""

from collections.abc import Iterator
from typing import Any

from grove_resource.activities.data_schemas.measure import pointer_of

ONE = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"})
SHELVES = frozenset({"$defs", "definitions"})
"""Schemas that count only where something refers to them."""
IN_PLACE = frozenset(
    {"$ref", "allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "not", "oneOf", "then"}
)
"""Keywords whose schemas look at the same value as the schema that holds them."""


def children(schema: Any, pointer: str) -> Iterator[tuple[str, str, Any]]:
    """(keyword, JSON pointer, schema) of each schema directly inside; what has the wrong shape is passed over."""
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in ONE:
            inside: list[tuple[list[str | int], Any]] = [([keyword], value)]
        elif keyword in MANY and isinstance(value, list):
            inside = [([keyword, index], part) for index, part in enumerate(value)]
        elif keyword in NAMED and isinstance(value, dict):
            inside = [([keyword, name], part) for name, part in value.items()]
        else:
            continue
        for path, part in inside:
            if isinstance(part, dict | bool):
                yield keyword, pointer + pointer_of(path), part
