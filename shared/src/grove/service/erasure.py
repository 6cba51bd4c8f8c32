"""Erasing people: auth.user.deleted → nothing of the user is left here, but a tombstone against late events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from grove.contracts.auth import UserDeleted
from grove.contracts.event import Erased
from grove.core.clock import now
from grove.messaging.handlers import Received
from grove.outbox.postgres import Outbox
from grove.postgres.base import Base


class ErasedUser(Base):
    """The tombstone of a deleted user: nothing about them is stored here any more."""

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]


async def is_erased(session: AsyncSession, user_id: UUID) -> bool:
    """Whether the user was deleted: a late fact about them is passed over. Asked once per transaction and user."""
    known: dict[UUID, bool] = session.info.setdefault("erased_users", {})
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
        """An account is gone."""
        user_id, moment = event.data.user_id, now()
        await session.execute(insert(ErasedUser).values(user_id=user_id, erased_at=moment).on_conflict_do_nothing())
        session.info.setdefault("erased_users", {})[user_id] = True
        for column in self.columns:
            await session.execute(delete(column.class_).where(column == user_id))
        if self._fact is not None:
            await Outbox(session, self._service).add((self._fact(user_id=user_id, erased_at=moment), 1))

    async def sweep(self, sessions: async_sessionmaker[AsyncSession]) -> int:
        """Delete what was written about erased users after all: by a request or another fact under way at that
        moment, or by a fact that came late. Returns how many rows.
        """
        swept = 0
        for column in self.columns:
            async with sessions.begin() as session:
                late = delete(column.class_).where(column.in_(select(ErasedUser.user_id)))
                swept += len((await session.execute(late.returning(column))).all())
        return swept
