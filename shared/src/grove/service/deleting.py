"""Deleting what may be very much: some rows in each transaction, so that no statement runs into its time limit."""

from typing import Any

from sqlalchemy import ColumnElement, delete, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.postgres.base import Base


async def delete_in_pieces(
    sessions: async_sessionmaker[AsyncSession], table: type[Base], condition: ColumnElement[bool], *, at_once: int
) -> int:
    """Delete the rows of a table that fit and that nobody else holds, `at_once` in each transaction; how many."""
    place: ColumnElement[Any] = literal_column("ctid")
    some = select(place).select_from(table).where(condition).limit(at_once).with_for_update(skip_locked=True)
    count = 0
    while True:
        async with sessions.begin() as session:
            deleted = await (await session.connection()).execute(delete(table).where(place.in_(some)))
        count += deleted.rowcount
        if deleted.rowcount < at_once:
            return count
