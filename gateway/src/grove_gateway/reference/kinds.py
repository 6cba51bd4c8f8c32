"""JSON Schema → a few words that a person reads."""

from collections.abc import Mapping
from typing import Any

_FORMATS = {"uuid": "UUID", "date-time": "time", "date": "date", "uri": "URL"}


def kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """What a value is: `text, 1 to 200 characters`, `all, pending or completed; all if left out`."""
    words = _words(schema, schemas)
    default = schema.get("default")
    if default not in (None, "", [], {}):
        words += f"; {str(default).lower() if isinstance(default, bool) else default} if left out"
    return words


def _words(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _words(schemas.get(str(schema["$ref"]).rsplit("/", 1)[-1], {}), schemas)
    if "enum" in schema:
        *others, last = (str(value) for value in schema["enum"])
        return f"{', '.join(others)} or {last}" if others else last
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_words(option, schemas) for option in schema["anyOf"]))
    match schema.get("type"):
        case "array":
            items = _words(schema.get("items", {}), schemas)
            words = f"list of {items}{_range(schema, 'minItems', 'maxItems', 'items')}"
        case "string":
            name = _FORMATS.get(str(schema.get("format")), "text")
            words = f"{name}{_range(schema, 'minLength', 'maxLength', 'characters')}"
        case "integer" | "number":
            words = f"number{_range(schema, 'minimum', 'maximum')}"
        case "boolean":
            words = "true or false"
        case other:
            words = "null" if other == "null" else "object"
    return words


def _range(schema: Mapping[str, Any], least: str, most: str, unit: str = "") -> str:
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return ""
    limits = f"{low} to {high}" if None not in (low, high) else f"at least {low}" if high is None else f"at most {high}"
    return f", {limits} {unit}".rstrip()
