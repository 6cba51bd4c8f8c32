"""Checking data before a transaction is open.

What goes to the checking process waits there for others: with a transaction it would keep a connection and a lock.
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from grove.core.errors import Invalid
from grove.postgres.reads import Reads
from grove_resource.activities.data_schemas.checks import DataChecks, DataSchema, TooCostlyToCheck
from grove_resource.activities.data_schemas.measure import Refused, same_json
from grove_resource.activities.data_schemas.turns import Asker
from grove_resource.activities.data_schemas.validators import Violation
from grove_resource.activities.errors import CheckGivenUp
from grove_resource.moments.errors import DataRefused
from grove_resource.moments.repository import MomentQueries, SchemaVersion
from grove_resource.moments.schemas import MomentCreate, MomentPatch, MomentReplace


async def refusal(checks: DataChecks, schema: DataSchema, data: dict[str, Any], asker: Asker) -> Invalid | None:
    """Why `data` is not taken under the schema: DataRefused, CheckGivenUp."""
    try:
        violations = await checks.violations(schema, data, asker)
    except Refused as refused:
        violations = [Violation(refused.pointer, "size", refused.message)]
    except TooCostlyToCheck:
        return CheckGivenUp()
    return DataRefused(violations) if violations else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about data under a schema, both as JSON. It holds as long as they are the same."""

    schema: str
    data: str
    refusal: Invalid | None

    def is_about(self, schema: DataSchema, data: dict[str, Any]) -> bool:
        """Whether it was found about these."""
        return self.schema == schema.text and self.data == json.dumps(data)


class EarlyChecks:
    """Checks under the schema that is read; whoever locks it then sees whether it still is that one."""

    def __init__(self, reads: Reads, user_id: UUID, checks: DataChecks) -> None:
        self._moments = MomentQueries(reads, user_id)
        self._asker = Asker(user_id)
        self._checks = checks

    async def of_new(self, data: MomentCreate) -> Verdict | None:
        """About a new moment; None where that is told at once, in the transaction. Nothing is read if it seems so."""
        if self._checks.seems_at_once(data.activity_id, data.data):
            return None
        present = await self._moments.present_schema(data.activity_id)
        return await self._verdict(present, data.data)

    async def of_change(self, moment_id: UUID, data: MomentReplace | MomentPatch) -> Verdict | None:
        """About a changed moment, likewise."""
        sent = data.model_fields_set
        if not sent & {"activity_id", "data"}:
            return None
        found = await self._moments.logged(moment_id)
        if found is None:
            return None
        moves = "activity_id" in sent and data.activity_id != found.under.activity_id
        differs = "data" in sent and not same_json(found.data, data.data)
        if not moves and not differs:
            return None
        schema = await self._moments.present_schema(data.activity_id) if moves else found.under
        return await self._verdict(schema, data.data if differs else found.data)

    async def _verdict(self, found: SchemaVersion | None, data: dict[str, Any]) -> Verdict | None:
        if found is None:
            return None
        ready = self._checks.ready((found.activity_id, found.version), found.schema)
        if self._checks.at_once(ready, data):
            return None
        return Verdict(ready.text, json.dumps(data), await refusal(self._checks, ready, data, self._asker))
