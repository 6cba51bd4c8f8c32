"""Activities in GraphQL, and what a moment is."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TypeAlias
from uuid import UUID

import strawberry
from pydantic import TypeAdapter
from sqlalchemy import ARRAY, Uuid, any_, bindparam
from strawberry.scalars import JSON

from grove.postgres.reads import Statement
from grove.service.listing import List
from grove.web.etag import etag
from grove_resource.activities.listing import FILTERS, ORDERS, ActivityFilter, scope
from grove_resource.activities.repository import ACTIVITY_JSON, ActivityQueries
from grove_resource.activities.schemas import ActivityRead
from grove_resource.graphql.connections import FIRST, After, Connection, First, Sort, connection, wanted
from grove_resource.graphql.context import Context, Info
from grove_resource.graphql.fields import field
from grove_resource.graphql.nodes import Kind, Node, global_id, uuid_of
from grove_resource.graphql.room import Sized
from grove_resource.models import Activity, Moment
from grove_resource.moments.listing import FILTERS as MOMENT_FILTERS
from grove_resource.moments.listing import ORDERS as MOMENT_ORDERS
from grove_resource.moments.listing import MomentFilter
from grove_resource.moments.repository import MOMENT_JSON
from grove_resource.moments.schemas import MomentRead

ROWS_AT_ONCE = 200
"""Moments of several activities that one statement reads: each may have 64 KiB."""

_ACTIVITY = TypeAdapter(ActivityRead)
_ACTIVITIES = List(item=ACTIVITY_JSON, filters=FILTERS, orders=ORDERS)
_MOMENT = TypeAdapter(MomentRead)
_MOMENTS = List(
    item=MOMENT_JSON, filters={"user_id": MOMENT_FILTERS["user_id"]}, orders=MOMENT_ORDERS, below=Moment.activity_id
)
_BY_IDS = Statement(
    ACTIVITY_JSON.select(Activity.version).where(
        Activity.id == any_(bindparam("ids", type_=ARRAY(Uuid))), Activity.user_id == bindparam("user_id")
    )
)


@strawberry.type(name="Moment", description="One time that you did something.")
class MomentNode(Node):
    """A moment."""

    uuid: UUID
    activity_id: UUID
    schema_version: int = strawberry.field(description="The version of the activity's schema that `data` satisfies.")
    occurred_at: datetime
    logged: strawberry.Private[Sized]
    created_at: datetime
    updated_at: datetime
    etag: str = strawberry.field(description="The version: send it as `ifMatch`.")

    @field("What was logged of it.")
    def data(self, info: Info) -> JSON:
        """As it is, while the request has room for it."""
        return JSON(info.context.room.answered(self.logged))

    @field("What was done.", needs="moments:read")
    async def activity(self, info: Info) -> "ActivityNode | None":
        """By the request's loader."""
        return await info.context.loader("activities", partial(_by_ids, info.context)).load(self.activity_id)

    @classmethod
    def of(cls, read: MomentRead, version: int) -> "MomentNode":
        """As REST shows it."""
        return cls(
            id=global_id(Kind.MOMENT, read.id),
            uuid=read.id,
            activity_id=read.activity_id,
            schema_version=read.schema_version,
            occurred_at=read.occurred_at,
            logged=Sized(read.data),
            created_at=read.created_at,
            updated_at=read.updated_at,
            etag=etag(read.id, version),
        )

    @classmethod
    def of_json(cls, json: str, version: int) -> "MomentNode":
        """From JSON that PostgreSQL made."""
        return cls.of(_MOMENT.validate_json(json), version)


Moments: TypeAlias = Connection[MomentNode]


@strawberry.type(name="Activity", description="A kind of thing that you log.")
class ActivityNode(Node):
    """An activity."""

    uuid: UUID
    name: str
    description: str
    demanded: strawberry.Private[Sized]
    version: int = strawberry.field(description="How many schemas it has had.")
    created_at: datetime
    updated_at: datetime
    etag: str = strawberry.field(description="The version: send it as `ifMatch`.")

    @field("JSON Schema 2020-12 of each moment's `data`.")
    def data_schema(self, info: Info) -> JSON:
        """As it is, while the request has room for it."""
        return JSON(info.context.room.answered(self.demanded))

    @field("Its moments, those that occurred last first.", needs="moments:read")
    async def moments(self, info: Info, first: First = FIRST, after: After = None) -> Moments | None:
        """By the request's loader."""
        query = wanted(MomentFilter, first, after)
        key = ("moments", first, after)
        at_once = max(1, ROWS_AT_ONCE // query.size)
        return await info.context.loader(key, partial(_moments, info.context, query), at_once).load(self.uuid)

    @classmethod
    def of(cls, read: ActivityRead, version: int) -> "ActivityNode":
        """As REST shows it; `version` is that of the row."""
        return cls(
            id=global_id(Kind.ACTIVITY, read.id),
            uuid=read.id,
            name=read.name,
            description=read.description,
            demanded=Sized(read.data_schema),
            version=read.version,
            created_at=read.created_at,
            updated_at=read.updated_at,
            etag=etag(read.id, version),
        )

    @classmethod
    def of_json(cls, json: str, version: int) -> "ActivityNode":
        """From JSON that PostgreSQL made."""
        return cls.of(_ACTIVITY.validate_json(json), version)


Activities: TypeAlias = Connection[ActivityNode]


async def activity_by_id(context: Context, activity_id: UUID) -> ActivityNode:
    """One activity. Raises ActivityNotFound."""
    return ActivityNode.of_json(*await ActivityQueries(context.reads, context.user_id).get(activity_id))


async def _by_ids(context: Context, ids: list[UUID]) -> Sequence[ActivityNode | None]:
    rows = await context.reads.all(_BY_IDS, ids=ids, user_id=context.user_id)
    context.room.take(sum(len(row[0]) for row in rows))
    found = {activity.uuid: activity for activity in (ActivityNode.of_json(row[0], row[1]) for row in rows)}
    return [found.get(activity_id) for activity_id in ids]


async def _moments(context: Context, query: MomentFilter, parents: list[UUID]) -> Sequence[Moments]:
    found = await _MOMENTS.rows_below(context.reads, parents, query, {"user_id": context.user_id})
    return [connection(context, found[parent], query, MomentNode.of_json) for parent in parents]


@strawberry.type
class ActivityQuery:
    """The queries about activities."""

    @field("One activity.", needs="moments:read")
    async def activity(self, info: Info, id: strawberry.ID) -> ActivityNode | None:  # noqa: A002 - its name in GraphQL
        """One activity."""
        return await activity_by_id(info.context, uuid_of(Kind.ACTIVITY, id))

    @field("Your activities, newest first unless `sort` says otherwise.", needs="moments:read")
    async def activities(
        self, info: Info, first: First = FIRST, after: After = None, sort: Sort = None
    ) -> Activities | None:
        """A page of the list."""
        query = wanted(ActivityFilter, first, after, sort=sort)
        found = await _ACTIVITIES.rows(info.context.reads, query, scope(info.context.user_id))
        return connection(info.context, found, query, ActivityNode.of_json)
