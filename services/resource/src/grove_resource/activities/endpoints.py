"""Activity routes."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter

from grove.service.listing import List
from grove.service.sessions import after_commit
from grove.web.answers import json_answer, json_text, not_modified
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.etag import RequestConditions, etag
from grove.web.pagination import CursorPage, Page
from grove.web.query import parameters_of, query_as
from grove_resource.activities.data_schemas.turns import Asker
from grove_resource.activities.listing import (
    FILTERS,
    ORDERS,
    VERSION_FILTERS,
    VERSION_ORDERS,
    ActivityFilter,
    VersionFilter,
    scope,
)
from grove_resource.activities.periods import StatisticsQuery
from grove_resource.activities.recent import MAX_RECENT, RecentQueries
from grove_resource.activities.repository import ACTIVITY_JSON, VERSION_JSON, ActivityQueries, ActivityRepository
from grove_resource.activities.schemas import (
    ActivityCreate,
    ActivityPatch,
    ActivityRead,
    ActivityReplace,
    RecentActivities,
    VersionRead,
)
from grove_resource.activities.service import ActivityService, must_be_usable
from grove_resource.activities.statistics import StatisticsQueries, StatisticsRead
from grove_resource.deps import (
    EventOutbox,
    MomentOnce,
    MomentReader,
    MomentWriter,
    ReadsDep,
    ResourcesDep,
    WriteSession,
)
from grove_resource.models import Activity

router = APIRouter(
    prefix="/api/v1/activities", tags=["activities"], route_class=GroveRoute, responses=error_responses(404, 409, 412)
)

_ACTIVITY = TypeAdapter(ActivityRead)
_ACTIVITIES = List(item=ACTIVITY_JSON, filters=FILTERS, orders=ORDERS)
_VERSIONS = List(item=VERSION_JSON, filters=VERSION_FILTERS, orders=VERSION_ORDERS)
_EMPTY = b'{"items":[],'
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "You have this version"}}

Wanted = Annotated[ActivityFilter, query_as(ActivityFilter)]
WantedVersions = Annotated[VersionFilter, query_as(VersionFilter)]
WantedStatistics = Annotated[StatisticsQuery, query_as(StatisticsQuery)]
Revalidate = Annotated[
    bool,
    Query(description="Move all moments to the new schema; 409 with those that do not satisfy it"),
]


async def _service(
    user: MomentWriter, session: WriteSession, outbox: EventOutbox, resources: ResourcesDep
) -> ActivityService:
    after_commit(session, lambda: resources.recent_activities.forget(user.user_id))
    return ActivityService(ActivityRepository(session, user.user_id), outbox, resources.data_checks)


Activities = Annotated[ActivityService, Depends(_service)]


async def _new_is_usable(data: ActivityCreate, user: MomentWriter, resources: ResourcesDep) -> None:
    await must_be_usable(resources.data_checks, data.data_schema, Asker(user.user_id))


async def _replacing_is_usable(data: ActivityReplace, user: MomentWriter, resources: ResourcesDep) -> None:
    await must_be_usable(resources.data_checks, data.data_schema, Asker(user.user_id))


async def _other_is_usable(data: ActivityPatch, user: MomentWriter, resources: ResourcesDep) -> None:
    if "data_schema" in data.model_fields_set:
        await must_be_usable(resources.data_checks, data.data_schema, Asker(user.user_id))


@router.get(
    "",
    response_model=Page[ActivityRead] | CursorPage[ActivityRead],
    openapi_extra=parameters_of(ActivityFilter),
)
async def list_activities(request: Request, user: MomentReader, reads: ReadsDep, wanted: Wanted) -> Response:
    """List your activities, newest first unless `sort` says otherwise."""
    return await _ACTIVITIES.answer(request, reads, wanted, scope(user.user_id))


@router.post("", status_code=201, response_model=ActivityRead, dependencies=[Depends(_new_is_usable), MomentOnce])
async def create_activity(data: ActivityCreate, activities: Activities) -> Response:
    """Define an activity. `data_schema` says what each of its moments holds."""
    activity = await activities.create(data, usable=True)
    answer = _answer(activity, status=201)
    answer.headers["Location"] = f"/api/v1/activities/{activity.id}"
    return answer


@router.get("/recent", response_model=RecentActivities)
async def list_recent_activities(
    user: MomentReader,
    reads: ReadsDep,
    resources: ResourcesDep,
    size: Annotated[int, Query(ge=1, le=MAX_RECENT, description="How many")] = 10,
) -> Response:
    """List the activities that you logged last."""
    return json_text(await RecentQueries(reads, resources.recent_activities, user.user_id).get(size))


@router.get("/{activity_id}", response_model=ActivityRead, responses=_UNCHANGED)
async def get_activity(
    activity_id: UUID, user: MomentReader, reads: ReadsDep, conditions: RequestConditions
) -> Response:
    """Read an activity."""
    activity, version = await ActivityQueries(reads, user.user_id).get(activity_id)
    tag = etag(activity_id, version)
    return not_modified(tag) if conditions.unchanged(tag) else json_text(activity, headers={"ETag": tag})


@router.put("/{activity_id}", response_model=ActivityRead, dependencies=[Depends(_replacing_is_usable)])
async def replace_activity(
    activity_id: UUID,
    data: ActivityReplace,
    activities: Activities,
    conditions: RequestConditions,
    revalidate: Revalidate = False,
) -> Response:
    """Replace all writable fields. Another `data_schema` is a new version; moments keep theirs unless `revalidate`."""
    return _answer(await activities.change(activity_id, data, conditions, revalidate=revalidate, usable=True))


@router.patch("/{activity_id}", response_model=ActivityRead, dependencies=[Depends(_other_is_usable)])
async def update_activity(
    activity_id: UUID,
    data: ActivityPatch,
    activities: Activities,
    conditions: RequestConditions,
    revalidate: Revalidate = False,
) -> Response:
    """Change the fields that are sent. Another `data_schema` is a new version."""
    return _answer(await activities.change(activity_id, data, conditions, revalidate=revalidate, usable=True))


@router.delete("/{activity_id}", status_code=204)
async def delete_activity(activity_id: UUID, activities: Activities, conditions: RequestConditions) -> None:
    """Delete an activity with all its moments."""
    await activities.delete(activity_id, conditions)


@router.get(
    "/{activity_id}/versions",
    response_model=Page[VersionRead] | CursorPage[VersionRead],
    openapi_extra=parameters_of(VersionFilter),
)
async def list_activity_versions(
    activity_id: UUID, request: Request, user: MomentReader, reads: ReadsDep, wanted: WantedVersions
) -> Response:
    """List the schemas that the activity has and had, newest first."""
    answer = await _VERSIONS.answer(request, reads, wanted, scope(user.user_id, activity_id))
    if bytes(answer.body).startswith(_EMPTY):  # no activity is without a version, but a page can lie behind the last
        await ActivityQueries(reads, user.user_id).must_be_there(activity_id)
    return answer


@router.get("/{activity_id}/statistics", response_model=StatisticsRead, openapi_extra=parameters_of(StatisticsQuery))
async def get_activity_statistics(
    activity_id: UUID, user: MomentReader, reads: ReadsDep, wanted: WantedStatistics
) -> Response:
    """Count moments by day, week or month, with sum, least, average and greatest of each number in the schema."""
    return json_text(await StatisticsQueries(reads, user.user_id).get(activity_id, wanted))


def _answer(activity: Activity, status: int = 200) -> Response:
    tag = etag(activity.id, activity.version)
    return json_answer(_ACTIVITY, ActivityRead.of(activity), status=status, headers={"ETag": tag})
