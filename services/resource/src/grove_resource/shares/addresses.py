"""Holding addresses: whose they are does not change meanwhile."""

import zlib
from collections.abc import Iterable

from sqlalchemy import ARRAY, Integer, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

_LOCK_CLASS = 0x7368  # the advisory locks of addresses


async def hold(session: AsyncSession, emails: Iterable[str]) -> None:
    """Keep others from binding these addresses until the transaction ends. Tasks are locked before, never behind it.

    In one order always, so that two who do this never wait in a circle.
    """
    locks = sorted({zlib.crc32(email.encode()) - 2**31 for email in emails})
    each = func.unnest(literal(locks, ARRAY(Integer))).column_valued("lock")
    await session.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, each)))
