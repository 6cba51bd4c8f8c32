"""A list route's whole answer: numbered pages with a total, or a cursor walk, in one statement each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from grove.postgres.base import AnyRow
from grove.service.keyset import Keyset
from grove.web.answers import json_answer
from grove.web.pagination import (
    CursorPage,
    Page,
    PageRequest,
    decode_cursor,
    encode_cursor,
    page_headers,
)
from grove.web.sorting import SortKey

T = TypeVar("T", bound=BaseModel)


class List(Generic[T]):
    """One kind of list. `read` makes an item of a row; the adapters serialise the two kinds of page."""

    def __init__(
        self,
        *,
        columns: Sequence[Any],
        orders: Keyset,
        read: Callable[[AnyRow], T],
        page: TypeAdapter[Page[T]],
        cursor_page: TypeAdapter[CursorPage[T]],
    ) -> None:
        self._columns = tuple(columns)
        self._orders = orders
        self._read = read
        self._page = page
        self._cursor_page = cursor_page

    async def answer(
        self,
        request: Request,
        connection: AsyncConnection,
        paging: PageRequest,
        conditions: Sequence[ColumnElement[bool]],
        sort: Sequence[SortKey],
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The page asked for. `conditions` must include the acting user's scope."""
        if paging.cursor is not None:
            return await self._walk(connection, paging, conditions, sort, headers or {})
        return await self._numbered(request, connection, paging, conditions, sort, headers or {})

    async def _numbered(
        self,
        request: Request,
        connection: AsyncConnection,
        paging: PageRequest,
        conditions: Sequence[ColumnElement[bool]],
        sort: Sequence[SortKey],
        headers: Mapping[str, str],
    ) -> Response:
        statement = (
            select(*self._columns, func.count().over().label("total"))
            .where(*conditions)
            .order_by(*self._orders.order(sort))
            .limit(paging.size)
            .offset(paging.offset)
        )
        rows = (await connection.execute(statement)).all()
        if rows or paging.page == 1:
            total = rows[0].total if rows else 0
        else:  # a page behind the end has no row to carry the total
            counted = select(func.count()).select_from(select(self._columns[0]).where(*conditions).subquery())
            total = await connection.scalar(counted) or 0
        page = Page[T].model_construct(
            items=[self._read(row) for row in rows],
            total=total,
            page=paging.page,
            size=paging.size,
            pages=paging.pages(total),
        )
        return json_answer(self._page, page, headers={**headers, **page_headers(request, paging, total)})

    async def _walk(
        self,
        connection: AsyncConnection,
        paging: PageRequest,
        conditions: Sequence[ColumnElement[bool]],
        sort: Sequence[SortKey],
        headers: Mapping[str, str],
    ) -> Response:
        names = [str(key) for key in sort]
        statement = (
            select(*self._columns, *self._orders.columns(sort))
            .where(*conditions)
            .order_by(*self._orders.order(sort))
            .limit(paging.size + 1)  # one more tells whether this is the last page
        )
        if paging.cursor:
            statement = statement.where(self._orders.after(sort, decode_cursor(paging.cursor, names)))
        rows = (await connection.execute(statement)).all()
        more = len(rows) > paging.size
        rows = rows[: paging.size]
        walked = CursorPage[T].model_construct(
            items=[self._read(row) for row in rows],
            size=paging.size,
            next_cursor=encode_cursor(names, list(rows[-1][len(self._columns) :])) if more else None,
        )
        return json_answer(self._cursor_page, walked, headers=headers)
