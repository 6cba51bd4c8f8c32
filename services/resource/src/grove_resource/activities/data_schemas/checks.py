"""Checking schemas and data, each where it holds up nobody.

What is small is checked at once: it takes microseconds. Everything else goes to the checking process.
"""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jsonschema_rs import Draft202012Validator

from grove_resource.activities.data_schemas.costs import Cost, cost_of
from grove_resource.activities.data_schemas.measure import Refused, Size, measure, within_bytes
from grove_resource.activities.data_schemas.process import CheckingProcess, TooCostly
from grove_resource.activities.data_schemas.rules import subschemas_of
from grove_resource.activities.data_schemas.turns import Asker
from grove_resource.activities.data_schemas.validators import MAX_VIOLATIONS, Violation, compiled, violations

MAX_VALUES = 5000
MAX_DEPTH = 16
KEPT = 512
"""How many compiled schemas a process keeps."""

_SMALL_SCHEMA = 8 * 1024
_FEW_CHECKS = 300
_FEW_PATTERNS = 5
_FEW_MEETINGS = 500
"""Schemas × values, and likewise below patterns × bytes of text: each at most 5 ms, with an error for every one."""
_LITTLE_MATCHING = 1000
_UNEXPLAINED = Violation("", "schema", "does not satisfy the schema; where would take too long to find")

Version = tuple[UUID, int]
"""An activity, and the version of its schema: where to look. A version that was rolled back can become another."""


class TooCostlyToCheck(Exception):
    """The check was given up."""


@dataclass(frozen=True, slots=True)
class DataSchema:
    """A schema, as JSON, made ready. Without a validator it is none that is checked at once."""

    text: str
    cost: Cost | None = None
    validator: Draft202012Validator | None = None

    def at_once(self, size: Size) -> Draft202012Validator | None:
        """The validator, if data of that size is checked in no time."""
        if self.cost is None or self.cost.checks * size.values > _FEW_MEETINGS:
            return None
        return self.validator if self.cost.patterns * size.text <= _LITTLE_MATCHING else None


def prepared(schema: dict[str, Any]) -> DataSchema:
    """A schema that was accepted once, compiled if that takes no time."""
    text = json.dumps(schema)
    if len(text) > _SMALL_SCHEMA:
        return DataSchema(text)
    try:
        cost = cost_of(subschemas_of(schema))
        if cost.checks > _FEW_CHECKS or cost.patterns > _FEW_PATTERNS:
            return DataSchema(text)
        return DataSchema(text, cost, compiled(schema, small_patterns=True))
    except Refused:  # a regular expression that takes long to compile
        return DataSchema(text)


class DataChecks:
    """Checks schemas and data. Closed by `aclose`."""

    def __init__(self) -> None:
        self._process = CheckingProcess()
        self._kept: OrderedDict[Version, DataSchema] = OrderedDict()
        self._latest: dict[UUID, int] = {}

    async def aclose(self) -> None:
        """End the checking process."""
        await self._process.aclose()

    def ready(self, version: Version, schema: dict[str, Any]) -> DataSchema:
        """The schema of a version made ready; what is kept of the version only if it is this very schema."""
        found = self.known(version)
        return found if found is not None and found.text == json.dumps(schema) else self.remember(version, schema)

    def known(self, version: Version) -> DataSchema | None:
        """What is kept of a version."""
        found = self._kept.get(version)
        if found is not None:
            self._kept.move_to_end(version)
        return found

    def remember(self, version: Version, schema: dict[str, Any]) -> DataSchema:
        """Have the schema of a version at hand."""
        found = self._kept[version] = prepared(schema)
        self._kept.move_to_end(version)
        activity_id, number = version
        self._latest[activity_id] = max(number, self._latest.get(activity_id, 0))
        while len(self._kept) > KEPT:
            gone, number = self._kept.popitem(last=False)[0]
            if self._latest.get(gone) == number:
                del self._latest[gone]
        return found

    def seems_at_once(self, activity_id: UUID, data: dict[str, Any]) -> bool:
        """Whether `data` would be checked at once under the latest schema of the activity that is kept.

        A guess: that schema need not be the present one.
        """
        kept = self.known((activity_id, self._latest.get(activity_id, 0)))
        return kept is not None and self.at_once(kept, data)

    def at_once(self, schema: DataSchema, data: dict[str, Any]) -> bool:
        """Whether `violations` asks nobody: it knows, or refuses data that is too large."""
        try:
            return schema.at_once(_size(data)) is not None
        except Refused:
            return True

    async def check_schema(self, schema: dict[str, Any], asker: Asker | None = None) -> None:
        """Raises Refused when it can't be the schema of an activity, TooCostlyToCheck when that can't be told."""
        text = within_bytes(schema)
        try:
            [answer] = await self._process.ask(f'{{"schema":{text}}}', 1, asker)
        except TooCostly:
            raise TooCostlyToCheck from None
        if answer["problem"] is not None:
            raise Refused(**answer["problem"])

    async def violations(self, schema: DataSchema, data: dict[str, Any], asker: Asker | None = None) -> list[Violation]:
        """Where data does not satisfy the schema. Raises Refused for data that is too large, TooCostlyToCheck."""
        text = within_bytes(data)
        validator = schema.at_once(_size(data))
        if validator is not None:
            return violations(validator, data)
        found = await self.failing(schema.text, [text], explain=MAX_VIOLATIONS, asker=asker)
        return [violation for _, violation in found]

    async def failing(
        self, schema: str, data: Sequence[str], *, explain: int, asker: Asker | None = None
    ) -> list[tuple[int, Violation]]:
        """Which of `data` do not satisfy the schema, all as JSON, by index; of the first `explain` also why.

        Raises TooCostlyToCheck.
        """
        request = f'{{"schema":{schema},"explain":{explain},"data":[{",".join(data)}]}}'
        try:
            verdict, reasons = await self._process.ask(request, 2, asker)
        except TooCostly as ended:
            if not ended.answers:
                raise TooCostlyToCheck from None
            verdict, reasons = ended.answers[0], {"violations": []}
        told = [Violation(*reason) for reason in reasons["violations"]]
        unknown = [_UNEXPLAINED] * (len(verdict["invalid"]) - len(told))
        return list(zip(verdict["invalid"], told + unknown, strict=True))


def _size(data: dict[str, Any]) -> Size:
    return measure(data, max_values=MAX_VALUES, max_depth=MAX_DEPTH)
