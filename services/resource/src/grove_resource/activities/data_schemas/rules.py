"""What a schema may be: its form, its size, and what it refers to. What it costs to check is in costs.py."""

from typing import Any
from urllib.parse import unquote

from grove_resource.activities.data_schemas.keywords import children
from grove_resource.activities.data_schemas.measure import MAX_BYTES, Refused, measure, within_bytes

MAX_NESTING = 32
MAX_SUBSCHEMAS = 1000
MAX_PATTERNS = 50
MAX_PATTERN_LENGTH = 200
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REFUSED = (
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
)

Subschemas = dict[str, Any]
"""Every schema inside a schema, itself included, by its JSON pointer."""


def subschemas_of(schema: Any) -> Subschemas:
    """The schemas in `schema`. Raises Refused when one of them is not allowed."""
    within_bytes(schema)
    measure(schema, max_values=MAX_BYTES, max_depth=MAX_NESTING)
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Refused('must be an object schema: {"type": "object", …}')
    found: Subschemas = {}
    waiting: list[tuple[str, Any]] = [("", schema)]
    while waiting:
        pointer, part = waiting.pop()
        found[pointer] = part
        if len(found) > MAX_SUBSCHEMAS:
            raise Refused(f"may hold {MAX_SUBSCHEMAS} schemas at most")
        _check_identity(part, pointer)
        waiting.extend((inside, child) for _, inside, child in children(part, pointer))
    _check_patterns(found)
    for pointer, part in found.items():
        referred = target(part)
        if referred is not None and referred not in found:
            raise Refused("`$ref` must point to a schema inside this one, as #/$defs/name does", pointer)
    return found


def patterns_of(schema: Any) -> list[str]:
    """The regular expressions that a schema has itself."""
    if not isinstance(schema, dict):
        return []
    named = schema.get("patternProperties")
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    return [*own, *named] if isinstance(named, dict) else own


def target(schema: Any) -> str | None:
    """The JSON pointer that a schema's `$ref` names; None without one."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    if reference is None:
        return None
    if not isinstance(reference, str) or not reference.startswith("#"):
        return "elsewhere"
    return unquote(reference[1:])


def _check_identity(schema: Any, pointer: str) -> None:
    if not isinstance(schema, dict):
        return
    for keyword in _REFUSED:
        if keyword in schema:
            raise Refused(f"`{keyword}` is not taken here", pointer)
    if schema.get("$schema", _DRAFT) not in (_DRAFT, _DRAFT + "#"):
        raise Refused(f"`$schema` may only be {_DRAFT}", pointer)


def _check_patterns(found: Subschemas) -> None:
    count = 0
    for pointer, part in found.items():
        patterns = patterns_of(part)
        count += len(patterns)
        if count > MAX_PATTERNS:
            raise Refused(f"may have {MAX_PATTERNS} regular expressions at most")
        if any(len(pattern) > MAX_PATTERN_LENGTH for pattern in patterns):
            raise Refused(f"a regular expression may have {MAX_PATTERN_LENGTH} characters at most", pointer)
