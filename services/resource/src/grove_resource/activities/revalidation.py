"""Moving all moments of an activity to its present schema, if they satisfy it."""

import asyncio
import json
from typing import Any

from grove.core.clock import now
from grove_resource.activities.data_schemas.checks import DataChecks, TooCostlyToCheck
from grove_resource.activities.data_schemas.turns import Asker
from grove_resource.activities.errors import CheckGivenUp, MomentsDoNotFit, TooManyMoments
from grove_resource.activities.repository import ActivityRepository
from grove_resource.models import Activity

MAX_MOMENTS = 100_000
MAX_TOLD = 100
BATCH = 100
MAX_SECONDS = 15
"""How long the activity may stay locked; the edge waits for an answer a little longer."""


class Revalidation:
    """Works in the transaction that changed the activity: what does not fit takes the change back."""

    def __init__(self, activities: ActivityRepository, checks: DataChecks, asker: Asker) -> None:
        self._activities = activities
        self._checks = checks
        self._asker = asker

    async def run(self, activity: Activity) -> bool:
        """Check all moments of a locked activity; whether any had to be moved.

        Raises MomentsDoNotFit, TooManyMoments, CheckGivenUp.
        """
        if await self._activities.count_moments(activity.id, MAX_MOMENTS) > MAX_MOMENTS:
            raise TooManyMoments
        try:
            async with asyncio.timeout(MAX_SECONDS):
                await self._check(activity)
        except (TooCostlyToCheck, TimeoutError):
            raise CheckGivenUp from None
        return await self._activities.move_moments(activity, now()) > 0

    async def _check(self, activity: Activity) -> None:
        count, told, schema = 0, list[dict[str, Any]](), json.dumps(activity.data_schema)
        async for batch in self._activities.moments(activity.id, BATCH):
            data = [data for _, data in batch]
            failing = await self._checks.failing(schema, data, explain=MAX_TOLD - len(told), asker=self._asker)
            count += len(failing)
            told += [
                {"moment_id": str(batch[index][0]), "pointer": violation.pointer, "message": violation.message}
                for index, violation in failing[: MAX_TOLD - len(told)]
            ]
        if count:
            raise MomentsDoNotFit(count, told)
