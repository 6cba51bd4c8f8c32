"""The rules of moments."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.web.etag import Conditions, etag
from grove_resource.activities.data_schemas.checks import DataChecks, Version
from grove_resource.activities.data_schemas.measure import same_json
from grove_resource.activities.data_schemas.turns import Asker
from grove_resource.activities.errors import ActivityNotFound
from grove_resource.models import Moment
from grove_resource.moments import events
from grove_resource.moments.checking import Verdict, refusal
from grove_resource.moments.errors import InTheFuture
from grove_resource.moments.repository import MomentRepository
from grove_resource.moments.schemas import MomentCreate, MomentPatch, MomentReplace

MAX_AHEAD = timedelta(days=1)


class MomentService:
    """Changes moments of the acting user; each change raises the version and tells the outbox. Never commits.

    `early` is what was found before the transaction (checking.py). Where it is not about the schema that is locked now,
    the check is made in the transaction.
    """

    def __init__(self, moments: MomentRepository, outbox: Outbox, checks: DataChecks) -> None:
        self._moments = moments
        self._outbox = outbox
        self._checks = checks

    async def create(self, data: MomentCreate, early: Verdict | None = None) -> Moment:
        """A new moment. Raises ActivityNotFound, DataRefused, InTheFuture, CheckGivenUp."""
        _must_have_been(data.occurred_at)
        present = await self._moments.present_schema(data.activity_id)
        await self._check((present.activity_id, present.version), present.schema, data.data, early)
        logged = now()
        moment = Moment(
            id=new_id(),
            user_id=self._moments.user_id,
            activity_id=data.activity_id,
            schema_version=present.version,
            occurred_at=data.occurred_at,
            data=data.data,
            version=1,
            created_at=logged,
            updated_at=logged,
        )
        await self._moments.add(moment)
        await self._outbox.add((events.logged(moment), moment.version))
        return moment

    async def change(
        self,
        moment_id: UUID,
        data: MomentReplace | MomentPatch,
        conditions: Conditions,
        early: Verdict | None = None,
    ) -> Moment:
        """Set the fields that were sent. Nothing changes, and nothing is told, when they already are so.

        Other data must satisfy the schema that the moment was logged under; of another activity, the present one.
        Raises MomentNotFound, ActivityNotFound, DataRefused, InTheFuture, CheckGivenUp.
        """
        sent = data.model_fields_set
        if "occurred_at" in sent:
            _must_have_been(data.occurred_at)
        locked = await self._moments.locked(moment_id, data.activity_id if "activity_id" in sent else None)
        moment, version, schema = locked.moment, locked.moment.schema_version, locked.schema
        conditions.require(etag(moment.id, moment.version))
        changed = [field for field in sorted(sent) if not same_json(getattr(moment, field), getattr(data, field))]
        if not changed:
            return moment
        if "activity_id" in changed:
            if locked.present is None:
                raise ActivityNotFound
            version, schema = locked.present.version, locked.present.schema
        values = {field: getattr(data, field) for field in changed}
        if "activity_id" in changed or "data" in changed:
            activity_id = values.get("activity_id", moment.activity_id)
            await self._check((activity_id, version), schema, values.get("data", moment.data), early)
        for field, value in {**values, "schema_version": version}.items():
            setattr(moment, field, value)
        _touch(moment)
        await self._moments.save(moment)
        await self._outbox.add((events.updated(moment, changed), moment.version))
        return moment

    async def delete(self, moment_id: UUID, conditions: Conditions) -> None:
        """Delete. Raises MomentNotFound."""
        moment = (await self._moments.locked(moment_id, None)).moment
        conditions.require(etag(moment.id, moment.version))
        _touch(moment)
        await self._moments.remove(moment)
        await self._outbox.add((events.deleted(moment), moment.version))

    async def _check(
        self, version: Version, schema: dict[str, Any], data: dict[str, Any], early: Verdict | None
    ) -> None:
        """Raises DataRefused, CheckGivenUp."""
        ready = self._checks.ready(version, schema)
        if early is not None and early.is_about(ready, data):
            found = early.refusal
        else:
            found = await refusal(self._checks, ready, data, Asker(self._moments.user_id, in_transaction=True))
        if found is not None:
            raise found


def _must_have_been(moment: datetime) -> None:
    if moment > now() + MAX_AHEAD:
        raise InTheFuture


def _touch(moment: Moment) -> None:
    moment.version += 1
    moment.updated_at = now()
