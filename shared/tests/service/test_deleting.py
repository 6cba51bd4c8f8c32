"""Deleting in pieces: what a limit promises, whatever plan the database takes."""

import pytest
from sqlalchemy import delete, func, insert, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.ids import new_id
from grove.service.deleting import delete_in_pieces, deletion
from grove.service.erasure import ErasedUser

pytestmark = pytest.mark.integration

ONCE_FOR_EACH_ROW = ("enable_hashjoin", "enable_mergejoin", "enable_hashagg", "enable_sort", "enable_material")


@pytest.fixture
async def rows(sessions: async_sessionmaker[AsyncSession]) -> async_sessionmaker[AsyncSession]:
    """A table of twenty."""
    async with sessions.begin() as session:
        await session.execute(delete(ErasedUser))
        await session.execute(insert(ErasedUser), [{"user_id": new_id(), "erased_at": now()} for _ in range(20)])
    return sessions


async def left(sessions: async_sessionmaker[AsyncSession]) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(ErasedUser)) or 0


async def test_a_deletion_takes_no_more_than_its_limit_under_any_plan(rows):
    async with rows.begin() as session:
        for setting in ONCE_FOR_EACH_ROW:
            await session.execute(text(f"SET LOCAL {setting} = off"))
        deleted = await (await session.connection()).execute(deletion(ErasedUser, true(), at_once=3))
    assert (deleted.rowcount, await left(rows)) == (3, 17)


async def test_pieces_take_all_but_what_somebody_holds(rows):
    async with rows.begin() as session:
        held = select(ErasedUser.user_id).limit(2).with_for_update()
        assert len((await session.scalars(held)).all()) == 2
        assert await delete_in_pieces(rows, ErasedUser, true(), at_once=3) == 18
    assert await left(rows) == 2
