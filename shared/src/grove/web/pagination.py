"""Lists: numbered pages with a total, or a cursor that stays stable while rows arrive."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from grove.core.errors import Invalid

MAX_DEPTH = 10_000
T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One numbered page."""

    items: list[T]
    total: int
    page: int
    size: int
    pages: int


class CursorPage(BaseModel, Generic[T]):
    """One page of a keyset walk; `next_cursor` is null on the last."""

    items: list[T]
    size: int
    next_cursor: str | None


class ListQuery(BaseModel):
    """Query parameters of every list; one with filters adds them in a subclass (web/query.py).

    `cursor` is None for numbered pages and "" for the start of a walk.
    """

    size: Annotated[int, Field(ge=1, le=100, description="Items on a page")] = 20
    page: Annotated[int | None, Field(ge=1, le=MAX_DEPTH, description="Number of the page, from 1")] = None
    cursor: Annotated[
        str | None,
        Field(max_length=4000, description="Empty to start a walk, then the `next_cursor` of the last answer"),
    ] = None
    sort: Annotated[str, Field(max_length=100, description="created_at; `-` for descending")] = "-created_at"

    @field_validator("page")
    @classmethod
    def _within_depth(cls, page: int | None, others: ValidationInfo) -> int | None:
        if (page or 1) * others.data.get("size", 1) > MAX_DEPTH:
            raise ValueError(f"page × size may be {MAX_DEPTH} at most; use cursor to go further")
        return page

    @field_validator("cursor")
    @classmethod
    def _one_way(cls, cursor: str | None, others: ValidationInfo) -> str | None:
        if cursor is not None and others.data.get("page") is not None:
            raise ValueError("use either page or cursor")
        return cursor

    @property
    def number(self) -> int:
        """The page's number."""
        return self.page or 1

    @property
    def offset(self) -> int:
        """Rows before the page."""
        return (self.number - 1) * self.size

    def pages(self, total: int) -> int:
        """How many pages `total` rows make."""
        return -(-total // self.size)


def page_headers(request: Request, query: ListQuery, total: int) -> dict[str, str]:
    """`X-Total-Count`, and `Link` (RFC 8288) to the first, previous, next and last page that can be asked for."""
    last = max(1, min(query.pages(total), MAX_DEPTH // query.size))
    numbers = {"first": 1, "prev": query.number - 1, "next": query.number + 1, "last": last}
    kept = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "page"])
    base = f"{request.scope['path']}?{kept}{'&' if kept else ''}page="
    links = [f'<{base}{number}>; rel="{relation}"' for relation, number in numbers.items() if 1 <= number <= last]
    return {"X-Total-Count": str(total), "Link": ", ".join(links)}


def encode_cursor(sort: Sequence[str], values: Sequence[Any]) -> str:
    """An opaque cursor: where the page ended, and under which order."""
    raw = json.dumps([",".join(sort), *values], default=str, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, sort: Sequence[str]) -> list[Any]:
    """The values of a cursor made under the same order. Raises Invalid."""
    try:
        order, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise invalid_query("cursor", "is not a cursor of this list") from None
    if order != ",".join(sort):
        raise invalid_query("cursor", "was made under another sort order")
    return list(values)


def invalid_query(field: str, message: str) -> Invalid:
    """A 422 that names one query parameter."""
    return Invalid(details=[{"field": f"query.{field}", "message": message, "type": "value_error"}])
