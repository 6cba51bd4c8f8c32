"""The size of a JSON value, and what no JSON value may be here."""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MAX_BYTES = 64 * 1024
_MAX_NUMBER_BITS = 1024


class Refused(Exception):
    """Why a value or schema is not taken, and where in it (a JSON pointer)."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer


@dataclass(frozen=True, slots=True)
class Size:
    """`values` counts scalars, arrays and objects; `depth` is 1 for a flat object; `text` is in UTF-8 bytes."""

    values: int
    depth: int
    text: int


def measure(value: Any, *, max_values: int, max_depth: int) -> Size:
    """How large `value` is. Raises Refused when it is larger, or has a number that is no finite double."""
    values = deepest = text = 0
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        values += 1
        if values > max_values:
            raise Refused(f"may hold {max_values} values at most")
        if isinstance(part, str):
            text += len(part.encode())
        elif isinstance(part, dict | list):
            depth += 1
            if depth > max_depth:
                raise Refused(f"may be nested {max_depth} levels deep at most")
            deepest = max(deepest, depth)
            if isinstance(part, dict):
                text += sum(len(name.encode()) for name in part)
                waiting.extend((item, depth) for item in part.values())
            else:
                waiting.extend((item, depth) for item in part)
        elif not _is_usual(part):
            raise Refused("has a number that is beyond ±1.8e308 or not a number")
    return Size(values, deepest, text)


def within_bytes(value: Any) -> str:
    """`value` as JSON. Raises Refused when that is more than MAX_BYTES."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text) > MAX_BYTES or len(text.encode()) > MAX_BYTES:
        raise Refused(f"may have {MAX_BYTES // 1024} KiB at most as JSON")
    return text


def same_json(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is 1.0, but not true; the order of names does not matter."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if _is_number(one) and _is_number(other):
        return Decimal(repr(one)) == Decimal(repr(other))  # as written: 1e308 came back from the database as an int
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def pointer_of(path: list[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_usual(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or value.bit_length() <= _MAX_NUMBER_BITS
