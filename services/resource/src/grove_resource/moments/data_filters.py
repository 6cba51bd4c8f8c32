"""`data.<path>=value`, `data.<path>.gte=` and `.lte=` of the moments list: from the query string to bind values.

Nothing of a request gets into the text of a statement: paths and values are JSON that PostgreSQL is given.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, bindparam, cast, func, literal_column, true
from sqlalchemy import any_ as any_of
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH

from grove.core.errors import Invalid
from grove_resource.models import Moment
from grove_resource.models.moment import OWNED_DATA

MAX_FILTERS = 5
MAX_KEYS = 5
MAX_KEY_LENGTH = 100
MAX_VALUE_LENGTH = 500
_PREFIX = "data."
_BOUNDS = {"gte": ">=", "lte": "<="}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_WORDS = frozenset({"true", "false", "null"})


def _equal(name: str) -> ColumnElement[bool]:
    """`data` holds one of several objects; the index looks for each among the entries of their user."""
    return OWNED_DATA.op("@>", is_comparison=True)(any_of(bindparam(name, type_=ARRAY(JSONB))))


def _bounded(name: str) -> ColumnElement[bool]:
    given = bindparam(name, type_=JSONB)
    path = cast(func.jsonb_extract_path_text(given, literal_column("'path'")), JSONPATH)
    variables = func.jsonb_extract_path(given, literal_column("'variables'"))
    return func.jsonb_path_exists(Moment.data, path, variables, true())


FILTERS: dict[str, ColumnElement[bool]] = {
    **{f"equal_{i}": _equal(f"equal_{i}") for i in range(MAX_FILTERS)},
    **{f"bound_{i}": _bounded(f"bound_{i}") for i in range(MAX_FILTERS)},
}


def given(parameters: Iterable[tuple[str, str]], user_id: UUID) -> dict[str, Any]:
    """The names of FILTERS that the query's parameters ask for, with their values for a user. Raises Invalid."""
    found: dict[str, Any] = {}
    names: set[str] = set()
    equal = bounds = 0
    for name, value in parameters:
        if not name.startswith(_PREFIX):
            continue
        if name in names:
            raise _unusable("A filter by data may be given once")
        names.add(name)
        if len(names) > MAX_FILTERS:
            raise _unusable(f"There may be {MAX_FILTERS} filters by data at most")
        keys = name.removeprefix(_PREFIX).split(".")
        operator = _BOUNDS.get(keys[-1]) if len(keys) > 1 else None
        if operator is not None:
            keys.pop()
        _check(keys, value)
        if operator is None:
            found[f"equal_{equal}"] = _equals(user_id, keys, value)
            equal += 1
        else:
            found[f"bound_{bounds}"] = _bound(keys, operator, value)
            bounds += 1
    return found


def has_bounds(names: Iterable[str]) -> bool:
    """Whether one of these filters is a range."""
    return any(name.startswith("bound_") for name in names)


def _check(keys: Sequence[str], value: str) -> None:
    if len(keys) > MAX_KEYS or not all(0 < len(key) <= MAX_KEY_LENGTH for key in keys):
        raise _unusable(f"A path has 1 to {MAX_KEYS} names between dots, of 1 to {MAX_KEY_LENGTH} characters each")
    if len(value) > MAX_VALUE_LENGTH:
        raise _unusable(f"A value may have {MAX_VALUE_LENGTH} characters at most")
    if "\0" in value or any("\0" in key for key in keys):
        raise _unusable("NUL characters are not allowed")


def _equals(user_id: UUID, keys: Sequence[str], value: str) -> list[str]:
    """The objects, as JSON, of which a user's `data` must hold one."""
    objects = [_nested(keys, scalar) for scalar in dict.fromkeys((json.dumps(value), *_read(value)))]
    return [f'{{"":"{user_id}",{each[1:]}' for each in objects]


def _read(value: str) -> list[str]:
    """The JSON scalar that a value reads as, if it does. Numbers stay as they were written, so no digit is lost."""
    if value in _WORDS or _NUMBER.fullmatch(value):
        return [value]
    if value.startswith('"'):
        try:
            text = json.loads(value)
            text.encode()  # half of a surrogate pair is no text
        except ValueError:
            return []
        return [] if "\0" in text else [json.dumps(text)]
    return []


def _bound(keys: Sequence[str], operator: str, value: str) -> str:
    """A path, and the variable in it, as JSON. Numbers are compared with numbers, all else with strings."""
    names = "".join(f".{json.dumps(key, ensure_ascii=False)}" for key in keys)
    path = json.dumps(f"strict ${names} ? (@ {operator} $bound)")
    scalar = value if _NUMBER.fullmatch(value) else json.dumps(value)
    return f'{{"path":{path},"variables":{{"bound":{scalar}}}}}'


def _nested(keys: Sequence[str], scalar: str) -> str:
    for key in reversed(keys):
        scalar = f"{{{json.dumps(key)}:{scalar}}}"
    return scalar


def _unusable(message: str) -> Invalid:
    return Invalid(details=[{"field": "query.data", "message": message, "type": "value_error"}])
