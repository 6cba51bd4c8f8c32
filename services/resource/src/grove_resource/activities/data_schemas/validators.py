"""Compiled schemas. Regular expressions run in time linear in the text; nothing is ever fetched."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from grove_resource.activities.data_schemas.measure import Refused, pointer_of

MAX_VIOLATIONS = 20
_MAX_MESSAGE = 200
_MAX_POINTER = 1000
_PATTERNS = RegexOptions(size_limit=1_000_000, dfa_size_limit=100_000)
_SMALL_PATTERNS = RegexOptions(size_limit=50_000, dfa_size_limit=50_000)


@dataclass(frozen=True, slots=True)
class Violation:
    """Where data does not satisfy its schema (a JSON pointer), which keyword says so, and how."""

    pointer: str
    keyword: str
    message: str


def compiled(schema: dict[str, Any], *, small_patterns: bool = False) -> Draft202012Validator:
    """A validator. Raises Refused when it is no schema, or a regular expression can't be used.

    `small_patterns`: refuse also those that would take long to compile.
    """
    try:
        return Draft202012Validator(
            schema,
            validate_formats=True,
            retriever=_fetch_nothing,
            pattern_options=_SMALL_PATTERNS if small_patterns else _PATTERNS,
            mask="value",
        )
    except ValidationError as error:
        violation = _violation(error)
        raise Refused(violation.message, violation.pointer) from None


def violations(validator: Draft202012Validator, data: Any) -> list[Violation]:
    """Where `data` does not satisfy the schema, MAX_VIOLATIONS at most.

    All are made before the first is given, and each holds what was expected: only for small schemas and data.
    """
    if validator.is_valid(data):
        return []
    return [_violation(error) for error in islice(validator.iter_errors(data), MAX_VIOLATIONS)]


def first_violation(validator: Draft202012Validator, data: Any) -> Violation | None:
    """The first place where `data` does not satisfy the schema."""
    try:
        validator.validate(data)
    except ValidationError as error:
        return _violation(error)
    return None


def _violation(error: ValidationError) -> Violation:
    return Violation(
        _bounded(pointer_of(error.instance_path), _MAX_POINTER), error.kind.name, _bounded(error.message, _MAX_MESSAGE)
    )


def _bounded(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _fetch_nothing(uri: str) -> Any:
    raise ValueError("nothing outside the schema is read")
