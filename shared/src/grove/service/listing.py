"""A list route's whole answer: numbered pages with a total, or a cursor walk, in one statement each."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import ColumnElement

from grove.postgres.base import Expression
from grove.postgres.json_rows import JsonRow
from grove.postgres.reads import Reads
from grove.service.keyset import Keyset
from grove.service.pages import Either, Pages
from grove.web.answers import json_text
from grove.web.pagination import ListQuery, decode_cursor, encode_cursor, page_headers
from grove.web.sorting import SortKey, parse_sort

Given = Mapping[str, Any]
"""Names of a list's filters → their values."""
_EMPTY = b'{"items":[],'


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row by itself. `cursor` starts a walk behind it, `version` is its ETag's."""

    json: str
    cursor: str
    version: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that follow one another. `more`: whether there are others behind them."""

    rows: list[ListRow]
    more: bool


class List:
    """One kind of list.

    `filters`: a name each, whose condition takes its value from the bind parameter of that name, if it has one. What
    is given under other names are values that conditions share.
    `counts`: headers of each answer, with what they count, as of the same moment as the items.
    `below`: the column by which rows belong to a parent, for `rows_below`.
    A statement is compiled once for each combination of filters and order (service/pages.py).
    """

    def __init__(
        self,
        *,
        item: JsonRow,
        filters: Mapping[str, ColumnElement[bool]],
        orders: Keyset,
        either: Either | None = None,
        counts: Mapping[str, ColumnElement[int]] | None = None,
        below: Expression | None = None,
    ) -> None:
        self._orders = orders
        self._names = frozenset(filters)
        self._counts = tuple(counts or {})
        pages = Pages(item, filters, orders, either, tuple((counts or {}).values()))
        self._numbered = lru_cache(maxsize=256)(pages.numbered)
        self._walk = lru_cache(maxsize=256)(pages.walk)
        self._rows = lru_cache(maxsize=256)(pages.rows)
        if below is not None:
            self._rows_below = lru_cache(maxsize=256)(partial(pages.rows_below, below))

    async def answer(
        self,
        request: Request,
        reads: Reads,
        query: ListQuery,
        given: Given,
        *,
        when_empty: Callable[[], Awaitable[None]] | None = None,
    ) -> Response:
        """The page asked for. `given` must include the acting user's scope. Raises Invalid for an unknown sort key.

        `when_empty` may raise what is wrong when there is nothing to show, such as a missing parent.
        """
        answer = await self._answer(request, reads, query, given)
        if when_empty is not None and bytes(answer.body).startswith(_EMPTY):
            await when_empty()
        return answer

    async def _answer(self, request: Request, reads: Reads, query: ListQuery, given: Given) -> Response:
        if query.cursor is not None:
            items, next_cursor, counts = await self._walked(reads, query, given)
            numbers = f'"size":{query.size},"next_cursor":{json.dumps(next_cursor)}'
            return _answer(items, numbers, self._headers(counts))
        sort = parse_sort(query.sort, self._orders.names)
        statement = self._numbered(self._names.intersection(given), sort)
        row = await reads.first(statement, **given, _size=query.size, _offset=query.offset)
        items, total, *counts = row or (None, 0)
        numbers = f'"total":{total},"page":{query.number},"size":{query.size},"pages":{query.pages(total)}'
        return _answer(items, numbers, {**self._headers(counts), **page_headers(request, query, total)})

    async def walk(self, reads: Reads, query: ListQuery, given: Given) -> tuple[str | None, str | None]:
        """The items' JSON behind `query.cursor`, joined by commas (None without any), and the next cursor."""
        items, next_cursor, _ = await self._walked(reads, query, given)
        return items, next_cursor

    async def _walked(
        self, reads: Reads, query: ListQuery, given: Given
    ) -> tuple[str | None, str | None, Sequence[int]]:
        sort, names, place = self._begin(query)
        statement = self._walk(self._names.intersection(given), sort, begun=bool(place))
        [((items, last, found), *counts)] = await reads.all(statement, **given, **place, _size=query.size)
        more = int(found) > query.size
        return items, encode_cursor(names, _place(last)) if more else None, counts

    def _headers(self, counts: Sequence[int]) -> dict[str, str]:
        return {name: str(count) for name, count in zip(self._counts, counts, strict=True)}

    async def rows(self, reads: Reads, query: ListQuery, given: Given) -> Stretch:
        """The rows behind `query.cursor`, each by itself."""
        sort, names, place = self._begin(query)
        statement = self._rows(self._names.intersection(given), sort, begun=bool(place))
        found = await reads.scalar(statement, **given, **place, _size=query.size)
        return _stretch(found or [], names, query.size)

    async def rows_below(
        self, reads: Reads, parents: Collection[UUID], query: ListQuery, given: Given
    ) -> dict[UUID, Stretch]:
        """The same for each of the parents, in one statement."""
        sort, names, place = self._begin(query)
        statement = self._rows_below(self._names.intersection(given), sort, begun=bool(place))
        found = await reads.scalar(statement, **given, **place, _size=query.size, _parents=list(parents))
        of_parent: dict[UUID, list[Sequence[str]]] = {parent: [] for parent in parents}
        for row in found or []:
            of_parent[UUID(row[3])].append(row)
        return {parent: _stretch(rows, names, query.size) for parent, rows in of_parent.items()}

    def _begin(self, query: ListQuery) -> tuple[tuple[SortKey, ...], list[str], dict[str, Any]]:
        """The order, its names, and the place to start behind. Raises Invalid."""
        sort = parse_sort(query.sort, self._orders.names)
        names = [str(key) for key in sort]
        return sort, names, self._orders.place(sort, decode_cursor(query.cursor, names)) if query.cursor else {}


def _stretch(found: Sequence[Sequence[str]], names: Sequence[str], size: int) -> Stretch:
    rows = [ListRow(row[0], encode_cursor(names, _place(row[1])), int(row[2])) for row in found[:size]]
    return Stretch(rows, len(found) > size)


def _place(row: str) -> list[Any]:
    """A row's place. Its numbers stay exact: an amount has more digits than a float."""
    place: list[Any] = json.loads(row, parse_float=Decimal)
    return place


def _answer(items: str | None, numbers: str, headers: Mapping[str, str]) -> Response:
    return json_text(f'{{"items":[{items or ""}],{numbers}}}', headers=headers)
