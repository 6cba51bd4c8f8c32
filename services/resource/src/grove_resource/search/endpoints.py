"""GET /search."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from grove.security.principal import Principal
from grove.web.answers import json_answer
from grove.web.auth import require
from grove.web.body import GroveRoute
from grove.web.errors import error_responses
from grove.web.pagination import CursorPage, decode_cursor, encode_cursor, invalid_query
from grove.web.query import parameters_of, query_as
from grove_resource.deps import ReadsDep
from grove_resource.search.repository import SearchQueries
from grove_resource.search.schemas import Hit, HitType, SearchQuery

router = APIRouter(prefix="/api/v1/search", tags=["search"], route_class=GroveRoute, responses=error_responses())

Searcher = Annotated[Principal, require("tasks:read", "moments:read")]
Wanted = Annotated[SearchQuery, query_as(SearchQuery)]
_PAGE = TypeAdapter(CursorPage[Hit])
_ORDER = ("-rank", "-id")


@router.get("", response_model=CursorPage[Hit], openapi_extra=parameters_of(SearchQuery))
async def search(user: Searcher, reads: ReadsDep, wanted: Wanted) -> Response:
    """Find tasks by title and description, those that others share with you too, and moments by the text in their
    data. What matches best comes first; of each kind the newest 1,000 matches are looked at. Deleted tasks are left
    out.
    """
    place = _place(wanted.cursor) if wanted.cursor else None
    rows = await SearchQueries(reads, user.user_id).find(wanted.q, wanted.type, wanted.size + 1, place)
    hits = [
        Hit(type=HitType(row.type), id=row.id, title=row.title, snippet=row.snippet, rank=row.rank, at=row.at)
        for row in rows[: wanted.size]
    ]
    more = len(rows) > wanted.size
    cursor = encode_cursor(_ORDER, (hits[-1].rank, hits[-1].id)) if more else None
    return json_answer(_PAGE, CursorPage[Hit].model_construct(items=hits, size=wanted.size, next_cursor=cursor))


def _place(cursor: str) -> tuple[int, UUID]:
    """The rank and id in a cursor. Raises Invalid."""
    values: list[Any] = decode_cursor(cursor, _ORDER)
    try:
        rank, last = values
        if not isinstance(rank, int) or abs(rank) >= 2**31:
            raise ValueError
        return rank, UUID(last)
    except (ValueError, TypeError, AttributeError):
        raise invalid_query("cursor", "is not a cursor of this list") from None
