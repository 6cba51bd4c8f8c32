"""Pages as Relay has them, over the same keyset walks as REST's `cursor`."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import strawberry
from pydantic import ValidationError

from grove.core.errors import Invalid
from grove.service.listing import Stretch
from grove.web.errors import details_of
from grove.web.pagination import ListQuery
from grove_resource.graphql.context import Context
from grove_resource.graphql.limits import DEFAULT_FIRST, MAX_FIRST

T = TypeVar("T")
Q = TypeVar("Q", bound=ListQuery)

First: TypeAlias = Annotated[int, strawberry.argument(description=f"Rows on the page, 1 to {MAX_FIRST}")]
After: TypeAlias = Annotated[str | None, strawberry.argument(description="The cursor behind which the page starts")]
Sort: TypeAlias = Annotated[str | None, strawberry.argument(description="As `sort` of the list in REST")]
FIRST = DEFAULT_FIRST


@strawberry.type(description="Where a page lies.")
class PageInfo:
    """The start of a page and its end."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A row of a page.")
class Edge(Generic[T]):
    """A row and its place."""

    cursor: str
    node: T


@strawberry.type(description="A page of rows.")
class Connection(Generic[T]):
    """A page."""

    edges: list[Edge[T]]
    page_info: PageInfo


def wanted(model: type[Q], first: int, after: str | None, **filters: Any) -> Q:
    """The list's query for a page. Raises Invalid."""
    given = {name: value for name, value in filters.items() if value is not None}
    try:
        return model.model_validate({"size": first, "cursor": after or "", **given})
    except ValidationError as invalid:
        raise Invalid(details=details_of(invalid, "query")) from None


def connection(context: Context, found: Stretch, query: ListQuery, node: Callable[[str, int], T]) -> Connection[T]:
    """The page; `node` makes a row of its JSON and version. Raises AnswerTooLarge."""
    context.room.take(sum(len(row.json) for row in found.rows))
    edges = [Edge(cursor=row.cursor, node=node(row.json, row.version)) for row in found.rows]
    info = PageInfo(
        has_next_page=found.more,
        has_previous_page=bool(query.cursor),
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=edges, page_info=info)
