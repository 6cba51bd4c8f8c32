"""Changing activities and moments in GraphQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

import strawberry
from strawberry.scalars import JSON

from grove.service.sessions import after_commit
from grove_resource.activities.repository import ActivityRepository
from grove_resource.activities.schemas import ActivityCreate, ActivityPatch, ActivityRead
from grove_resource.activities.service import ActivityService
from grove_resource.graphql.activities import ActivityNode, MomentNode
from grove_resource.graphql.context import Context, Info
from grove_resource.graphql.fields import field
from grove_resource.graphql.inputs import IfMatch, conditions, validated
from grove_resource.graphql.nodes import Kind, global_id, uuid_of
from grove_resource.models import Activity, Moment
from grove_resource.moments.repository import MomentRepository
from grove_resource.moments.schemas import MomentCreate, MomentPatch, MomentRead
from grove_resource.moments.service import MomentService

_WRITE = "moments:write"
_IDS = {"activity_id": Kind.ACTIVITY}


@strawberry.input(description="A new activity.")
class CreateActivityInput:
    """As the body of POST /activities."""

    name: str
    description: str | None = strawberry.UNSET
    data_schema: JSON


@strawberry.input(description="The fields of an activity to change.")
class UpdateActivityInput:
    """As the body of PATCH /activities/{id}."""

    name: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    data_schema: JSON | None = strawberry.UNSET


@strawberry.input(description="A new moment.")
class LogMomentInput:
    """As the body of POST /moments."""

    activity_id: strawberry.ID
    occurred_at: datetime
    data: JSON


@strawberry.input(description="The fields of a moment to change.")
class UpdateMomentInput:
    """As the body of PATCH /moments/{id}."""

    activity_id: strawberry.ID | None = strawberry.UNSET
    occurred_at: datetime | None = strawberry.UNSET
    data: JSON | None = strawberry.UNSET


@strawberry.type(description="An activity that was changed.")
class ActivityPayload:
    """What a change of an activity answers."""

    activity: ActivityNode


@strawberry.type(description="An activity that was deleted.")
class DeletedActivity:
    """What the deletion of an activity answers."""

    deleted_id: strawberry.ID


@strawberry.type(description="A moment that was changed.")
class MomentPayload:
    """What a change of a moment answers."""

    moment: MomentNode


@strawberry.type(description="A moment that was deleted.")
class DeletedMoment:
    """What the deletion of a moment answers."""

    deleted_id: strawberry.ID


def _forget_recent(context: Context) -> None:
    after_commit(context.session, partial(context.resources.recent_activities.forget, context.user_id))


@asynccontextmanager
async def _activities(context: Context) -> AsyncIterator[ActivityService]:
    _forget_recent(context)
    async with context.changing() as session:
        repository = ActivityRepository(session, context.user_id)
        yield ActivityService(repository, context.outbox, context.resources.data_checks)


@asynccontextmanager
async def _moments(context: Context) -> AsyncIterator[MomentService]:
    _forget_recent(context)
    async with context.changing() as session:
        repository = MomentRepository(session, context.user_id)
        yield MomentService(repository, context.outbox, context.resources.data_checks)


def _activity(activity: Activity) -> ActivityPayload:
    return ActivityPayload(activity=ActivityNode.of(ActivityRead.of(activity), activity.version))


def _moment(moment: Moment) -> MomentPayload:
    return MomentPayload(moment=MomentNode.of(MomentRead.of(moment), moment.version))


@strawberry.type
class ActivityMutation:
    """The changes of activities."""

    @field("Define an activity.", needs=_WRITE)
    async def create_activity(
        self,
        info: Info,
        input: CreateActivityInput,  # noqa: A002 - Relay's name
    ) -> ActivityPayload | None:
        """As POST /activities."""
        data = validated(ActivityCreate, input)
        async with _activities(info.context) as activities:
            return _activity(await activities.create(data))

    @field("Change the fields of an activity that are sent; another schema is a new version.", needs=_WRITE)
    async def update_activity(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        input: UpdateActivityInput,  # noqa: A002 - Relay's name
        revalidate: bool = False,
        if_match: IfMatch = None,
    ) -> ActivityPayload | None:
        """As PATCH /activities/{id}."""
        activity_id, data = uuid_of(Kind.ACTIVITY, id), validated(ActivityPatch, input)
        async with _activities(info.context) as activities:
            held = conditions(if_match)
            return _activity(await activities.change(activity_id, data, held, revalidate=revalidate))

    @field("Delete an activity with all its moments.", needs=_WRITE)
    async def delete_activity(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        if_match: IfMatch = None,
    ) -> DeletedActivity | None:
        """As DELETE /activities/{id}."""
        activity_id = uuid_of(Kind.ACTIVITY, id)
        async with _activities(info.context) as activities:
            await activities.delete(activity_id, conditions(if_match))
        return DeletedActivity(deleted_id=global_id(Kind.ACTIVITY, activity_id))


@strawberry.type
class MomentMutation:
    """The changes of moments."""

    @field("Log a moment of an activity; `data` must satisfy the activity's present schema.", needs=_WRITE)
    async def log_moment(self, info: Info, input: LogMomentInput) -> MomentPayload | None:  # noqa: A002 - Relay's name
        """As POST /moments."""
        data = validated(MomentCreate, input, _IDS)
        async with _moments(info.context) as moments:
            return _moment(await moments.create(data))

    @field("Change the fields of a moment that are sent.", needs=_WRITE)
    async def update_moment(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        input: UpdateMomentInput,  # noqa: A002 - Relay's name
        if_match: IfMatch = None,
    ) -> MomentPayload | None:
        """As PATCH /moments/{id}."""
        moment_id, data = uuid_of(Kind.MOMENT, id), validated(MomentPatch, input, _IDS)
        async with _moments(info.context) as moments:
            return _moment(await moments.change(moment_id, data, conditions(if_match)))

    @field("Delete a moment.", needs=_WRITE)
    async def delete_moment(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - its name in GraphQL
        if_match: IfMatch = None,
    ) -> DeletedMoment | None:
        """As DELETE /moments/{id}."""
        moment_id = uuid_of(Kind.MOMENT, id)
        async with _moments(info.context) as moments:
            await moments.delete(moment_id, conditions(if_match))
        return DeletedMoment(deleted_id=global_id(Kind.MOMENT, moment_id))
