"""A list route's whole answer: numbered pages with a total, or a cursor walk, in one statement each."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from fastapi import Request, Response
from sqlalchemy import ColumnElement, Integer, bindparam, func

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads, Row, Statement
from grove.service.keyset import Keyset
from grove.web.answers import json_text
from grove.web.pagination import ListQuery, decode_cursor, encode_cursor, page_headers
from grove.web.sorting import SortKey, parse_sort

Given = Mapping[str, Any]
"""Names of a list's filters → their values."""
Sort = tuple[SortKey, ...]


class List:
    """One kind of list.

    `filters`: a name each, whose condition takes its value from the bind parameter of that name, if it has one.
    PostgreSQL makes each item's JSON. A statement is compiled once for each combination of filters and order.
    """

    def __init__(self, *, item: JsonRow, filters: Mapping[str, ColumnElement[bool]], orders: Keyset) -> None:
        self._item = item
        self._filters = dict(filters)
        self._orders = orders
        self._page = lru_cache(maxsize=256)(self._build_page)
        self._count = lru_cache(maxsize=256)(self._build_count)
        self._walk = lru_cache(maxsize=256)(self._build_walk)

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
            return await self._walked(reads, query, given, sort, headers or {})
        return await self._numbered(request, reads, query, given, sort, headers or {})

    async def _numbered(
        self, request: Request, reads: Reads, query: ListQuery, given: Given, sort: Sort, headers: Mapping[str, str]
    ) -> Response:
        filters = frozenset(given)
        rows = await reads.all(self._page(filters, sort), **given, _size=query.size, _offset=query.offset)
        if rows or query.number == 1:
            total = rows[0][1] if rows else 0
        else:  # a page behind the end has no row to carry the total
            total = await reads.scalar(self._count(filters), **given)
        numbers = f'"total":{total},"page":{query.number},"size":{query.size},"pages":{query.pages(total)}'
        return _answer(rows, numbers, {**headers, **page_headers(request, query, total)})

    async def _walked(
        self, reads: Reads, query: ListQuery, given: Given, sort: Sort, headers: Mapping[str, str]
    ) -> Response:
        names = [str(key) for key in sort]
        place = self._orders.place(sort, decode_cursor(query.cursor, names)) if query.cursor else {}
        statement = self._walk(frozenset(given), sort, begun=bool(place))
        # One more than asked for tells whether this is the last page.
        rows = await reads.all(statement, **given, **place, _size=query.size + 1)
        more = len(rows) > query.size
        rows = rows[: query.size]
        next_cursor = encode_cursor(names, list(rows[-1])[1:]) if more else None
        return _answer(rows, f'"size":{query.size},"next_cursor":{json.dumps(next_cursor)}', headers)

    def _build_page(self, filters: frozenset[str], sort: Sort) -> Statement:
        return Statement(
            self._item.select(func.count().over())
            .where(*self._conditions(filters))
            .order_by(*self._orders.order(sort))
            .limit(bindparam("_size", type_=Integer))
            .offset(bindparam("_offset", type_=Integer))
        )

    def _build_count(self, filters: frozenset[str]) -> Statement:
        return Statement(self._item.count().where(*self._conditions(filters)))

    def _build_walk(self, filters: frozenset[str], sort: Sort, *, begun: bool) -> Statement:
        behind = [self._orders.after(sort)] if begun else []
        return Statement(
            self._item.select(*self._orders.columns(sort))
            .where(*self._conditions(filters), *behind)
            .order_by(*self._orders.order(sort))
            .limit(bindparam("_size", type_=Integer))
        )

    def _conditions(self, filters: frozenset[str]) -> list[ColumnElement[bool]]:
        return [self._filters[name] for name in sorted(filters)]


def _answer(rows: Sequence[Row], numbers: str, headers: Mapping[str, str]) -> Response:
    items = ",".join([row[0] for row in rows])
    return json_text(f'{{"items":[{items}],{numbers}}}', headers=headers)
