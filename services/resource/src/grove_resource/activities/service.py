"""The rules of activities."""

from typing import Any
from uuid import UUID

from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.web.etag import Conditions, etag
from grove_resource.activities import events
from grove_resource.activities.data_schemas.checks import DataChecks, TooCostlyToCheck
from grove_resource.activities.data_schemas.measure import Refused, same_json
from grove_resource.activities.data_schemas.turns import Asker
from grove_resource.activities.errors import CheckGivenUp, SchemaRefused, TooManyVersions
from grove_resource.activities.repository import ActivityRepository
from grove_resource.activities.revalidation import Revalidation
from grove_resource.activities.schemas import ActivityCreate, ActivityPatch, ActivityReplace
from grove_resource.models import Activity

MAX_VERSIONS = 100


async def must_be_usable(checks: DataChecks, schema: dict[str, Any], asker: Asker) -> None:
    """Raises SchemaRefused, CheckGivenUp."""
    try:
        await checks.check_schema(schema, asker)
    except Refused as refused:
        raise SchemaRefused(refused) from None
    except TooCostlyToCheck:
        raise CheckGivenUp from None


class ActivityService:
    """Changes activities of the acting user; each change raises the version and tells the outbox. Never commits.

    `usable`: whether `must_be_usable` was asked about the schema already, before the transaction.
    """

    def __init__(self, activities: ActivityRepository, outbox: Outbox, checks: DataChecks) -> None:
        self._activities = activities
        self._outbox = outbox
        self._checks = checks
        self._asker = Asker(activities.user_id, in_transaction=True)

    async def create(self, data: ActivityCreate, *, usable: bool = False) -> Activity:
        """A new activity. Raises SchemaRefused, TooManyActivities, CheckGivenUp."""
        if not usable:
            await must_be_usable(self._checks, data.data_schema, self._asker)
        moment = now()
        activity = Activity(
            id=new_id(),
            user_id=self._activities.user_id,
            name=data.name,
            description=data.description,
            data_schema=data.data_schema,
            schema_version=1,
            version=1,
            created_at=moment,
            updated_at=moment,
        )
        await self._activities.add(activity)
        await self._outbox.add((events.created(activity), activity.version))
        return activity

    async def change(
        self,
        activity_id: UUID,
        data: ActivityReplace | ActivityPatch,
        conditions: Conditions,
        *,
        revalidate: bool,
        usable: bool = False,
    ) -> Activity:
        """Set the fields that were sent. Another schema is a new version, which old moments are not of; unless with
        `revalidate`, where all must satisfy it: "moments" is told to have changed if any was of another version.
        Nothing changes, and nothing is told, when all is so already.

        Raises SchemaRefused, TooManyVersions, MomentsDoNotFit, TooManyMoments, CheckGivenUp.
        """
        if not usable and "data_schema" in data.model_fields_set:  # first: no row is locked as long as it takes
            await must_be_usable(self._checks, data.data_schema, self._asker)
        activity = await self._activities.locked(activity_id)
        conditions.require(etag(activity.id, activity.version))
        changed = _apply(activity, data)
        if changed:
            await self._save(activity, new_version="data_schema" in changed)
        if revalidate and await Revalidation(self._activities, self._checks, self._asker).run(activity):
            if not changed:
                await self._save(activity, new_version=False)
            changed = sorted([*changed, "moments"])
        if changed:
            await self._outbox.add((events.updated(activity, changed), activity.version))
        return activity

    async def delete(self, activity_id: UUID, conditions: Conditions) -> None:
        """Delete, moments included."""
        activity = await self._activities.locked(activity_id)
        conditions.require(etag(activity.id, activity.version))
        _touch(activity)
        await self._activities.remove(activity)
        await self._outbox.add((events.deleted(activity), activity.version))

    async def _save(self, activity: Activity, *, new_version: bool) -> None:
        _touch(activity)
        await self._activities.save(activity, new_version=new_version)


def _touch(activity: Activity) -> None:
    activity.version += 1
    activity.updated_at = now()


def _apply(activity: Activity, data: ActivityReplace | ActivityPatch) -> list[str]:
    """Set the sent fields; the names of those that changed. Raises TooManyVersions."""
    changed = [
        field
        for field in sorted(data.model_fields_set)
        if not same_json(getattr(activity, field), getattr(data, field))
    ]
    for field in changed:
        setattr(activity, field, getattr(data, field))
    if "data_schema" in changed:
        if activity.schema_version >= MAX_VERSIONS:
            raise TooManyVersions
        activity.schema_version += 1
    return changed
