"""What checking data costs: how many schemas one value can meet, with all references written out.

References make small schemas large: a1 = allOf[a0, a0], a2 = allOf[a1, a1] and so on double with each line.
`unevaluated…` looks at everything beside it a second time, at each level anew.
"""

from dataclasses import dataclass
from typing import Any

from grove_resource.activities.data_schemas.keywords import IN_PLACE, SHELVES, children
from grove_resource.activities.data_schemas.measure import Refused
from grove_resource.activities.data_schemas.rules import Subschemas, patterns_of, target

MAX_COST = 2000
MAX_EXPANDED_NESTING = 64
_PATTERN = 5
_LISTED = 0.1
_LOOKS_AGAIN = 4
_LISTS = ("enum", "const", "required", "dependentRequired")


@dataclass(frozen=True, slots=True)
class Cost:
    """`checks`: schemas that a value can meet, a regular expression counting as several; `patterns`: those alone."""

    checks: float
    patterns: int
    nesting: int


def cost_of(found: Subschemas) -> Cost:
    """The cost of the whole. Raises Refused beyond MAX_COST, and for a schema that refers to itself."""
    return _Costs(found).of("", ())


class _Costs:
    def __init__(self, found: Subschemas) -> None:
        self._found = found
        self._known: dict[str, Cost] = {}

    def of(self, pointer: str, inside: tuple[str, ...]) -> Cost:
        if pointer in inside:
            raise Refused("`$ref` may not lead back to the schema that it is in", pointer)
        if len(inside) >= MAX_EXPANDED_NESTING:
            raise Refused(f"with its references written out, it is nested more than {MAX_EXPANDED_NESTING} levels deep")
        if pointer not in self._known:
            self._known[pointer] = self._sum(pointer, (*inside, pointer))
        cost = self._known[pointer]
        if len(inside) + cost.nesting > MAX_EXPANDED_NESTING:
            raise Refused(f"with its references written out, it is nested more than {MAX_EXPANDED_NESTING} levels deep")
        if cost.checks > MAX_COST:
            raise Refused(
                f"is too costly to check: with its references written out, it is worth more than {MAX_COST} schemas"
            )
        return cost

    def _sum(self, pointer: str, inside: tuple[str, ...]) -> Cost:
        schema = self._found[pointer]
        patterns = len(patterns_of(schema))
        checks, nesting = 1 + _PATTERN * patterns + _LISTED * _listed(schema), 0
        again = _LOOKS_AGAIN if _looks_again(schema) else 1
        below = [(keyword, child) for keyword, child, _ in children(schema, pointer) if keyword not in SHELVES]
        referred = target(schema)
        if referred is not None:
            below.append(("$ref", referred))
        for keyword, child in below:
            cost = self.of(child, inside)
            checks += cost.checks * (again if keyword in IN_PLACE else 1)
            patterns += cost.patterns
            nesting = max(nesting, cost.nesting)
        return Cost(checks, patterns, nesting + 1)


def _looks_again(schema: Any) -> bool:
    return isinstance(schema, dict) and ("unevaluatedProperties" in schema or "unevaluatedItems" in schema)


def _listed(schema: Any) -> int:
    """How many values a schema lists, to compare with."""
    if not isinstance(schema, dict):
        return 0
    waiting, count = [schema[keyword] for keyword in _LISTS if keyword in schema], 0
    while waiting:
        part = waiting.pop()
        count += 1
        if isinstance(part, dict | list):
            waiting.extend(part.values() if isinstance(part, dict) else part)
    return count
