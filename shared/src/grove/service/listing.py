"""A list route's whole answer: numbered pages with a total, or a cursor walk, in one statement each."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, select

from grove.postgres.base import AnyRow
from grove.postgres.reads import Reads
from grove.service.keyset import Keyset
from grove.web.answers import json_answer
from grove.web.pagination import (
    CursorPage,
    ListQuery,
    Page,
    decode_cursor,
    encode_cursor,
    page_headers,
)
from grove.web.sorting import SortKey, parse_sort

T = TypeVar("T")


Given = Mapping[str, Any]
"""Names of a list's filters → their values."""


class List(Generic[T]):
    """One kind of list.

    `filters`: a name each, whose condition takes its value from the bind parameter of that name, if it has one.
    `read` makes an item of a row; the adapters serialise the two kinds of page. A statement is built once for each
    combination of filters and order.
    """

    def __init__(
        self,
        *,
        columns: Sequence[Any],
        filters: Mapping[str, ColumnElement[bool]],
        orders: Keyset,
        read: Callable[[AnyRow], T],
        page: TypeAdapter[Page[T]],
        cursor_page: TypeAdapter[CursorPage[T]],
    ) -> None:
        self._columns = tuple(columns)
        self._filters = dict(filters)
        self._orders = orders
        self._read = read
        self._page = page
        self._cursor_page = cursor_page
        self._page_statement = lru_cache(maxsize=256)(self._build_page)
        self._walk_statement = lru_cache(maxsize=256)(self._build_walk)

    async def answer(
        self,
        request: Request,
        reads: Reads,
        query: ListQuery,
        given: Given,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The page asked for. `given` must include the acting user's scope. Raises Invalid for an unknown sort key."""
        sort = parse_sort(query.sort, self._orders.names)
        if query.cursor is not None:
            return await self._walk(reads, query, given, sort, headers or {})
        return await self._numbered(request, reads, query, given, sort, headers or {})

    async def _numbered(
        self,
        request: Request,
        reads: Reads,
        query: ListQuery,
        given: Given,
        sort: tuple[SortKey, ...],
        headers: Mapping[str, str],
    ) -> Response:
        statement = self._page_statement(frozenset(given), sort)
        rows = await reads.all(statement, {**given, "size": query.size, "offset": query.offset})
        if rows or query.number == 1:
            total = rows[0].total if rows else 0
        else:  # a page behind the end has no row to carry the total
            counted = select(func.count()).select_from(
                select(self._columns[0]).where(*self._conditions(frozenset(given))).subquery()
            )
            total = await reads.scalar(counted, given) or 0
        page = Page[T].model_construct(
            items=[self._read(row) for row in rows],
            total=total,
            page=query.number,
            size=query.size,
            pages=query.pages(total),
        )
        return json_answer(self._page, page, headers={**headers, **page_headers(request, query, total)})

    async def _walk(
        self,
        reads: Reads,
        query: ListQuery,
        given: Given,
        sort: tuple[SortKey, ...],
        headers: Mapping[str, str],
    ) -> Response:
        names = [str(key) for key in sort]
        statement = self._walk_statement(frozenset(given), sort)
        if query.cursor:
            statement = statement.where(self._orders.after(sort, decode_cursor(query.cursor, names)))
        # One more than asked for tells whether this is the last page.
        rows = await reads.all(statement, {**given, "size": query.size + 1})
        more = len(rows) > query.size
        rows = rows[: query.size]
        walked = CursorPage[T].model_construct(
            items=[self._read(row) for row in rows],
            size=query.size,
            next_cursor=encode_cursor(names, list(rows[-1][len(self._columns) :])) if more else None,
        )
        return json_answer(self._cursor_page, walked, headers=headers)

    def _build_page(self, names: frozenset[str], sort: tuple[SortKey, ...]) -> Select[Any]:
        return (
            select(*self._columns, func.count().over().label("total"))
            .where(*self._conditions(names))
            .order_by(*self._orders.order(sort))
            .limit(bindparam("size", type_=Integer))
            .offset(bindparam("offset", type_=Integer))
        )

    def _build_walk(self, names: frozenset[str], sort: tuple[SortKey, ...]) -> Select[Any]:
        return (
            select(*self._columns, *self._orders.columns(sort))
            .where(*self._conditions(names))
            .order_by(*self._orders.order(sort))
            .limit(bindparam("size", type_=Integer))
        )

    def _conditions(self, names: frozenset[str]) -> list[ColumnElement[bool]]:
        return [self._filters[name] for name in sorted(names)]
