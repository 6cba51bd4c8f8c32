"""Deleting what may be very much: some rows in each transaction, so that no statement runs into its time limit."""

from typing import Any

from sqlalchemy import ColumnElement, Delete, delete, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm.util import AliasedClass

from grove.postgres.base import Base
from grove.postgres.subqueries import evaluated_once


def deletion(table: type[Any] | AliasedClass[Any], condition: ColumnElement[bool], *, at_once: int) -> Delete:
    """Deletes `at_once` rows of those that fit and that nobody else holds."""
    place: ColumnElement[object] = literal_column("ctid")
    some = select(place.label("place")).select_from(table).where(condition).limit(at_once)
    return delete(table).where(place.in_(evaluated_once(some.with_for_update(skip_locked=True))))


async def delete_in_pieces(
    sessions: async_sessionmaker[AsyncSession], table: type[Base], condition: ColumnElement[bool], *, at_once: int
) -> int:
    """Delete the rows of a table that fit and that nobody else holds, `at_once` in each transaction; how many."""
    count = 0
    while True:
        async with sessions.begin() as session:
            deleted = await (await session.connection()).execute(deletion(table, condition, at_once=at_once))
        count += deleted.rowcount
        if deleted.rowcount < at_once:
            return count
