"""JSON Schema → a value as a client would send or get it, from the examples that the schema gives where it has any."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 6
_FORMATS = {
    "uuid": "01a1f6a4-7c1e-7b52-9d2e-3f1f0c6f8a11",
    "date-time": "2026-11-21T09:30:00Z",
    "date": "2026-11-21",
    "email": "ada@example.com",
    "uri": "https://app.example.com/",
}

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Examples:
    """Makes values. `sent`: by a client, who leaves out what may be left out."""

    schemas: Mapping[str, Schema]
    sent: bool

    def of(self, schema: Schema, name: str = "", depth: int = 0) -> Any:
        """One value. `name`: the field's, which stands for a text that nothing else is known of."""
        if "$ref" in schema:
            named = self.schemas.get(str(schema["$ref"]).rsplit("/", 1)[-1], {})
            schema = {**named, **{key: value for key, value in schema.items() if key != "$ref"}}
        if schema.get("examples"):
            return schema["examples"][0]
        for given in ("example", "const", "default"):
            if schema.get(given) is not None:
                return schema[given]
        if schema.get("enum"):
            return schema["enum"][0]
        options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
        if options:
            chosen = next((option for option in options if option.get("type") != "null"), options[0])
            return self.of(chosen, name, depth)
        return self._of_type(schema, name, depth)

    def _of_type(self, schema: Schema, name: str, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else None)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind == "string":
            return _text(schema, name)
        if kind in {"integer", "number"}:
            return schema.get("minimum", 1)
        return True if kind == "boolean" else None

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        fields = schema.get("properties", {})
        required = schema.get("required", []) if self.sent else []
        names = [name for name in fields if name in required or not required]
        return {name: self.of(fields[name], name, depth + 1) for name in names if depth < DEEPEST}

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        items = schema.get("items")
        return [self.of(items, name.removesuffix("s"), depth + 1)] if items and depth < DEEPEST else []


def _text(schema: Schema, name: str) -> str:
    text = _FORMATS.get(str(schema.get("format"))) or f"<{name.replace('_', ' ') or 'text'}>"
    return text[: schema.get("maxLength", len(text))]
