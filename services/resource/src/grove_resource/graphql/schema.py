"""The schema: all queries and mutations, and how it is executed."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from uuid import UUID

import strawberry
from graphql import GraphQLError, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext, ExecutionResult

from grove.core.errors import Forbidden, NotFound
from grove_resource.graphql.activities import ActivityQuery, activity_by_id
from grove_resource.graphql.context import Context, Info
from grove_resource.graphql.fields import field
from grove_resource.graphql.moment_changes import ActivityMutation, MomentMutation
from grove_resource.graphql.moments import MomentQuery, moment_by_id
from grove_resource.graphql.nodes import Kind, Node, parse_id
from grove_resource.graphql.profiles import ProfileMutation, ProfileQuery, profile_by_id
from grove_resource.graphql.protocol import GraphQLRequest
from grove_resource.graphql.scalars import SCALARS
from grove_resource.graphql.task_changes import TaskMutation
from grove_resource.graphql.tasks import TaskQuery, task_by_id

_BY_ID: Mapping[Kind, tuple[str, Callable[[Context, UUID], Awaitable[Node]]]] = {
    Kind.TASK: ("tasks:read", task_by_id),
    Kind.ACTIVITY: ("moments:read", activity_by_id),
    Kind.MOMENT: ("moments:read", moment_by_id),
    Kind.PROFILE: ("profile:read", profile_by_id),
}
"""How `node` finds a thing of each kind, and the scope that needs."""


@strawberry.type
class Query(TaskQuery, ActivityQuery, MomentQuery, ProfileQuery):
    """What can be read."""

    @field("Anything by its global id; null when there is nothing. Needs the scope of its kind.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - Relay's name
        """By the kind in the id."""
        kind, uuid = parse_id(id)
        scope, find = _BY_ID[kind]
        await info.context.demand(scope)
        try:
            return await find(info.context, uuid)
        except (NotFound, Forbidden):
            return None


@strawberry.type
class Mutation(TaskMutation, ActivityMutation, MomentMutation, ProfileMutation):
    """What can be changed."""


class _Prepared(SchemaExtension):
    """Takes the document that was read and validated before (documents.py)."""

    def on_parse(self) -> Iterator[None]:
        self.execution_context.graphql_document = self.execution_context.context.document
        yield

    def on_validate(self) -> Iterator[None]:
        self.execution_context.pre_execution_errors = []
        yield


class _Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing: errors.py logs those that nobody expects."""

    @property
    def core(self) -> GraphQLSchema:
        """What documents are validated against."""
        return self._schema


SCHEMA = _Schema(Query, Mutation, extensions=[_Prepared], config=StrawberryConfig(scalar_map=SCALARS))


async def execute(context: Context, request: GraphQLRequest) -> ExecutionResult:
    """Execute the context's document, which is that of the request."""
    return await SCHEMA.execute(request.query, request.variables, context, operation_name=request.operation_name)
