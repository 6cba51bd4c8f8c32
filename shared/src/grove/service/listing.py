"""A list route's whole answer: numbered pages with a total, or a cursor walk, in one statement each."""

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

from fastapi import Request, Response
from sqlalchemy import ColumnElement

from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads
from grove.service.keyset import Keyset
from grove.service.pages import Either, Pages
from grove.web.answers import json_text
from grove.web.pagination import ListQuery, decode_cursor, encode_cursor, page_headers
from grove.web.sorting import parse_sort

Given = Mapping[str, Any]
"""Names of a list's filters → their values."""
_EMPTY = b'{"items":[],'


class List:
    """One kind of list.

    `filters`: a name each, whose condition takes its value from the bind parameter of that name, if it has one. What
    is given under other names are values that conditions share.
    A statement is compiled once for each combination of filters and order (service/pages.py).
    """

    def __init__(
        self,
        *,
        item: JsonRow,
        filters: Mapping[str, ColumnElement[bool]],
        orders: Keyset,
        either: Either | None = None,
    ) -> None:
        self._orders = orders
        self._names = frozenset(filters)
        pages = Pages(item, filters, orders, either)
        self._numbered = lru_cache(maxsize=256)(pages.numbered)
        self._walk = lru_cache(maxsize=256)(pages.walk)

    async def answer(
        self,
        request: Request,
        reads: Reads,
        query: ListQuery,
        given: Given,
        headers: Mapping[str, str] | None = None,
        *,
        when_empty: Callable[[], Awaitable[None]] | None = None,
    ) -> Response:
        """The page asked for. `given` must include the acting user's scope. Raises Invalid for an unknown sort key.

        `when_empty` may raise what is wrong when there is nothing to show, such as a missing parent.
        """
        answer = await self._answer(request, reads, query, given, headers)
        if when_empty is not None and bytes(answer.body).startswith(_EMPTY):
            await when_empty()
        return answer

    async def _answer(
        self, request: Request, reads: Reads, query: ListQuery, given: Given, headers: Mapping[str, str] | None
    ) -> Response:
        if query.cursor is not None:
            items, next_cursor = await self.walk(reads, query, given)
            return _answer(items, f'"size":{query.size},"next_cursor":{json.dumps(next_cursor)}', headers)
        sort = parse_sort(query.sort, self._orders.names)
        statement = self._numbered(self._names.intersection(given), sort)
        row = await reads.first(statement, **given, _size=query.size, _offset=query.offset)
        items, total = row or (None, 0)
        numbers = f'"total":{total},"page":{query.number},"size":{query.size},"pages":{query.pages(total)}'
        return _answer(items, numbers, {**(headers or {}), **page_headers(request, query, total)})

    async def walk(self, reads: Reads, query: ListQuery, given: Given) -> tuple[str | None, str | None]:
        """The items' JSON behind `query.cursor`, joined by commas (None without any), and the next cursor."""
        sort = parse_sort(query.sort, self._orders.names)
        names = [str(key) for key in sort]
        place = self._orders.place(sort, decode_cursor(query.cursor, names)) if query.cursor else {}
        statement = self._walk(self._names.intersection(given), sort, begun=bool(place))
        items, last, found = await reads.scalar(statement, **given, **place, _size=query.size)
        more = int(found) > query.size
        return items, encode_cursor(names, json.loads(last)) if more else None


def _answer(items: str | None, numbers: str, headers: Mapping[str, str] | None) -> Response:
    return json_text(f'{{"items":[{items or ""}],{numbers}}}', headers=headers)
