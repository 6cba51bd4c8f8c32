"""Erasing people: auth.user.deleted → nothing of the user is left here, but a tombstone against late events."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from grove.contracts.auth import UserDeleted
from grove.contracts.event import Erased
from grove.core.clock import now
from grove.messaging.handlers import Received
from grove.outbox.postgres import Outbox
from grove.postgres.base import Base
from grove.service.deleting import deletion

AT_ONCE = 10_000
"""Rows that one statement deletes at most: however much somebody left, none runs into its time limit."""
_TOMBSTONES = 500
SWEPT_DAYS = 30
"""So long after an erasure, what was written about its user after all is swept.

That was under way when the erasure was committed, and is there within minutes; what comes later finds the tombstone.
The rest is for workers that stood still: at least as long as the inbox remembers.
"""


class ErasedUser(Base):
    """The tombstone of a deleted user: nothing about them is stored here any more."""

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]


def known_erased(session: AsyncSession) -> dict[UUID, bool]:
    """What this transaction knows already of who was deleted; whoever asks the database adds to it."""
    known: dict[UUID, bool] = session.info.setdefault("erased_users", {})
    return known


async def is_erased(session: AsyncSession, user_id: UUID) -> bool:
    """Whether the user was deleted: a late fact about them is passed over. Asked once per transaction and user."""
    known = known_erased(session)
    if user_id not in known:
        with session.no_autoflush:  # what waits to be written goes out together
            known[user_id] = bool(await session.scalar(select(exists().where(ErasedUser.user_id == user_id))))
    return known[user_id]


class Erasure:
    """What a service has of a user: the rows whose `columns` name them; what depends on those goes by cascade.

    `fact` tells auth that it is gone; None in a service that the catalogue does not know, which auth does not wait for.
    """

    def __init__(
        self, service: str, columns: Sequence[InstrumentedAttribute[Any]], fact: type[Erased] | None = None
    ) -> None:
        self._service = service
        self.columns = columns
        self._fact = fact

    async def on_deleted(self, session: AsyncSession, event: Received[UserDeleted]) -> None:
        """An account is gone, and what is here of it, and auth is told."""
        await self.erase(session, event.data.user_id)
        await self.tell(session, event.data.user_id)

    async def erase(self, session: AsyncSession, user_id: UUID) -> None:
        """Leave nothing but a tombstone. Where a table has more than AT_ONCE rows of the user, these go first, in
        transactions of their own: whoever tries again after a failure has less to do.
        """
        await session.execute(insert(ErasedUser).values(user_id=user_id, erased_at=now()).on_conflict_do_nothing())
        known_erased(session)[user_id] = True
        for column in self.columns:
            if await _has_many(session, column, user_id):
                await _delete_apart(async_sessionmaker(session.bind), column, [user_id])
        for column in self.columns:
            await session.execute(delete(column.class_).where(column == user_id))

    async def tell(self, session: AsyncSession, user_id: UUID) -> None:
        """Tell auth, in the transaction that ends the erasure: once for each user. A service that has something to
        wait for after `erase` tells later.
        """
        if self._fact is not None:
            await Outbox(session, self._service).add((self._fact(user_id=user_id, erased_at=now()), 1))

    async def sweep(self, sessions: async_sessionmaker[AsyncSession]) -> int:
        """Delete what was written about users erased in the last SWEPT_DAYS after all: by a request or another fact
        under way at that moment. Returns how many rows.
        """
        swept = 0
        last = UUID(int=0)
        while users := await _erased_after(last, sessions):
            last = users[-1]
            for column in self.columns:
                swept += await _delete_apart(sessions, column, users)
        return swept


async def _erased_after(last: UUID, sessions: async_sessionmaker[AsyncSession]) -> Sequence[UUID]:
    recent = ErasedUser.erased_at > now() - timedelta(days=SWEPT_DAYS)
    tombstones = (
        select(ErasedUser.user_id)
        .where(ErasedUser.user_id > last, recent)
        .order_by(ErasedUser.user_id)
        .limit(_TOMBSTONES)
    )
    async with sessions() as session:
        return (await session.scalars(tombstones)).all()


async def _has_many(session: AsyncSession, column: InstrumentedAttribute[Any], user_id: UUID) -> bool:
    some = select(column).where(column == user_id).limit(AT_ONCE + 1).subquery()
    return (await session.scalar(select(func.count()).select_from(some)) or 0) > AT_ONCE


async def _delete_apart(
    sessions: async_sessionmaker[AsyncSession], column: InstrumentedAttribute[Any], users: Sequence[UUID]
) -> int:
    """Delete the rows that nobody else holds, some in each transaction. Returns how many.

    The caller may have a transaction open. If that holds what goes by cascade, this fails soon, rather than wait for it
    as long as a statement may take.
    """
    count = 0
    while True:
        async with sessions.begin() as session:
            await session.execute(text("SET LOCAL lock_timeout = '1s'"))
            some = deletion(column.class_, column.in_(users), at_once=AT_ONCE)
            deleted = await (await session.connection()).execute(some)
        count += deleted.rowcount
        if deleted.rowcount < AT_ONCE:
            return count
