"""The queries about moments in GraphQL."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from grove.service.listing import List
from grove_resource.graphql.activities import MomentNode, Moments
from grove_resource.graphql.connections import FIRST, After, First, Sort, connection, wanted
from grove_resource.graphql.context import Context, Info
from grove_resource.graphql.fields import field
from grove_resource.graphql.nodes import Kind, uuid_of
from grove_resource.moments import data_filters
from grove_resource.moments.listing import FILTERS, ORDERS, MomentFilter
from grove_resource.moments.repository import MOMENT_JSON, MomentQueries

_MOMENTS = List(item=MOMENT_JSON, filters=FILTERS, orders=ORDERS)


async def moment_by_id(context: Context, moment_id: UUID) -> MomentNode:
    """One moment. Raises MomentNotFound."""
    return MomentNode.of_json(*await MomentQueries(context.reads, context.user_id).get(moment_id))


@strawberry.input(
    description="Moments whose data has a value at a path: `distance_km`, or `route.start` for nested ones."
)
class DataFilter:
    """As `data.<path>`, `data.<path>.gte` and `data.<path>.lte` in REST."""

    path: str
    equals: str | None = strawberry.field(default=None, description="This value; `5` is the number or the text.")
    gte: str | None = strawberry.field(default=None, description="At least this, within an activity and time range.")
    lte: str | None = strawberry.field(default=None, description="At most this, within an activity and time range.")

    def parameters(self) -> Iterator[tuple[str, str]]:
        """As REST's query string has them."""
        for suffix, value in (("", self.equals), (".gte", self.gte), (".lte", self.lte)):
            if value is not None:
                yield f"data.{self.path}{suffix}", value


@strawberry.type
class MomentQuery:
    """The queries about moments."""

    @field("One moment.", needs="moments:read")
    async def moment(self, info: Info, id: strawberry.ID) -> MomentNode | None:  # noqa: A002 - its name in GraphQL
        """One moment."""
        return await moment_by_id(info.context, uuid_of(Kind.MOMENT, id))

    @field("Your moments, those that occurred last first unless `sort` says otherwise.", needs="moments:read")
    async def moments(
        self,
        info: Info,
        first: First = FIRST,
        after: After = None,
        sort: Sort = None,
        activity_id: strawberry.ID | None = None,
        occurred_from: datetime | None = None,
        occurred_to: datetime | None = None,
        data: list[DataFilter] | None = None,
    ) -> Moments | None:
        """A page of the list."""
        query = wanted(
            MomentFilter,
            first,
            after,
            sort=sort,
            activity_id=uuid_of(Kind.ACTIVITY, activity_id, "activityId") if activity_id is not None else None,
            occurred_from=occurred_from,
            occurred_to=occurred_to,
        )
        asked = (pair for one in data or () for pair in one.parameters())
        by_data = data_filters.given(asked, info.context.user_id)
        given: dict[str, Any] = {"user_id": info.context.user_id, **query.given(by_data)}
        found = await _MOMENTS.rows(info.context.reads, query, given)
        return connection(info.context, found, query, MomentNode.of_json)
