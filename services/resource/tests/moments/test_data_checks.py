"""Against which schema data is checked."""

import pytest

from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.web.etag import Conditions
from grove_resource.activities.repository import ActivityRepository
from grove_resource.activities.schemas import ActivityPatch
from grove_resource.activities.service import ActivityService
from grove_resource.moments.repository import MomentRepository
from grove_resource.moments.schemas import MomentCreate
from grove_resource.moments.service import MomentService

pytestmark = pytest.mark.integration
ACTIVITIES, MOMENTS = "/api/v1/activities", "/api/v1/moments"
NOON = "2026-03-01T12:00:00Z"
LOW, HIGH = [{"type": "object", "properties": {"mood": bound}} for bound in ({"maximum": 5}, {"minimum": 6})]


async def test_a_version_that_was_taken_back_is_not_remembered_for_the_one_in_its_place(
    client, issuer, resources, define
):
    user = new_id()
    headers = issuer.headers(user)
    activity = await define(headers=headers)
    async with resources.sessions() as session:  # as a request does that fails after its changes
        outbox, checks = Outbox(session, "resource"), resources.data_checks
        activities = ActivityService(ActivityRepository(session, user), outbox, checks)
        await activities.change(
            activity["id"], ActivityPatch(data_schema=LOW), Conditions(None, None), revalidate=False
        )
        moments = MomentService(MomentRepository(session, user), outbox, checks)
        await moments.create(MomentCreate(activity_id=activity["id"], occurred_at=NOON, data={"mood": 1}))
        await session.rollback()
    url = f"{ACTIVITIES}/{activity['id']}"
    assert (await client.patch(url, json={"data_schema": HIGH}, headers=headers)).json()["version"] == 2
    statuses = []
    for mood in (1, 9):
        body = {"activity_id": activity["id"], "occurred_at": NOON, "data": {"mood": mood}}
        statuses.append((await client.post(MOMENTS, json=body, headers=headers)).status_code)
    assert statuses == [422, 201]
