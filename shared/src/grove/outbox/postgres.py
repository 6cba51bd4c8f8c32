"""Outbox and inbox in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Identity,
    LargeBinary,
    Select,
    SmallInteger,
    String,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Mapped, mapped_column

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.messaging.handlers import StoreUnavailable, Work, apply_all, reason_of
from grove.outbox.event import PARTITIONS, Claim, OutboxEvent, outbox_event
from grove.postgres.base import Base
from grove.postgres.engine import STORE_ERRORS, is_lost

CHANNEL = "grove_outbox"
_LOCK_CLASS = 0x6F75  # the advisory locks of the outbox's partitions
INBOX_DAYS = 7
"""So long it is remembered that an event was applied."""


class OutboxRow(Base):
    """A committed event that is not published yet."""

    __tablename__ = "outbox"

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[UUID]
    partition: Mapped[int] = mapped_column(SmallInteger)
    type: Mapped[str] = mapped_column(String(100))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class InboxRow(Base):
    """An event whose effect is in this database."""

    __tablename__ = "inbox"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    applied_at: Mapped[datetime] = mapped_column(index=True)  # for the purge of old rows


_ENTER = (
    pg_insert(InboxRow)
    .from_select(
        ["event_id", "applied_at"],
        select(func.unnest(bindparam("ids", type_=ARRAY(Uuid))), bindparam("moment", type_=DateTime(timezone=True))),
    )
    .on_conflict_do_nothing()
    .returning(InboxRow.event_id)
)


class Outbox:
    """Adds events to a session's transaction."""

    def __init__(self, session: AsyncSession, service: str) -> None:
        self._session = session
        self._service = service

    async def add(self, *events: tuple[EventData, int]) -> None:
        """Write events, each with its aggregate's new sequence number, into the open transaction."""
        made = [outbox_event(self._service, data, sequence=sequence) for data, sequence in events]
        if not made:
            return
        moment = now()
        connection = await self._session.connection()  # rows nobody holds as objects need no unit of work
        await connection.execute(
            insert(OutboxRow),
            [
                {
                    "id": event.id,
                    "partition": event.partition,
                    "type": event.type,
                    "body": event.body,
                    "created_at": moment,
                }
                for event in made
            ],
        )


def _claimed(limit: int, without: Collection[str]) -> Select[int, UUID, int, str, bytes]:
    """Locks the partitions of the oldest events, each asked for once, and reads events of those it got.

    Asked for at each row, a partition that another relay lets go in the middle of the look would be had from its
    second event on, and its first be sent behind it.
    """
    wanted = OutboxRow.type.not_in(without)
    oldest = select(OutboxRow.partition).where(wanted).order_by(OutboxRow.position).limit(limit * PARTITIONS).subquery()
    waiting = select(oldest.c.partition).distinct().cte("waiting").prefix_with("MATERIALIZED")
    free = func.pg_try_advisory_xact_lock(_LOCK_CLASS, waiting.c.partition)
    held = select(waiting.c.partition).where(free).cte("held").prefix_with("MATERIALIZED")
    return (
        select(OutboxRow.position, OutboxRow.id, OutboxRow.partition, OutboxRow.type, OutboxRow.body)
        .where(wanted, OutboxRow.partition.in_(select(held.c.partition)))
        .order_by(OutboxRow.position)
        .limit(limit)
        .with_for_update(of=OutboxRow, skip_locked=True)  # drops rows that another relay sent meanwhile
    )


class PostgresOutboxStore:
    """What the relay reads."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._engine = engine

    @asynccontextmanager
    async def claim(self, limit: int, *, without: Collection[str] = ()) -> AsyncIterator[Claim]:
        """Events of partitions that no other relay holds. The claim is a lock that dies with its connection."""
        async with self._sessions.begin() as session:
            rows = await session.execute(_claimed(limit, without))
            claimed = rows.all()
            claim = Claim([OutboxEvent(row.id, row.partition, row.type, bytes(row.body)) for row in claimed])
            yield claim
            if claim.published:
                gone = [row.position for row in claimed if row.id in claim.published]
                await session.execute(delete(OutboxRow).where(OutboxRow.position.in_(gone)))

    async def wakeups(self) -> AsyncIterator[None]:
        """Yields on each NOTIFY of the outbox."""
        woken = asyncio.Event()
        gone = asyncio.Event()
        async with self._engine.connect() as connection:
            driver: asyncpg.Connection[Any] = (await connection.get_raw_connection()).driver_connection

            def lost(_: object) -> None:
                gone.set()
                woken.set()

            driver.add_termination_listener(lost)
            await driver.add_listener(CHANNEL, lambda *_: woken.set())
            try:
                while True:
                    await woken.wait()
                    if gone.is_set():
                        raise ConnectionResetError("the listening connection was closed")
                    woken.clear()
                    yield
            finally:
                await connection.invalidate()

    async def oldest_age(self) -> float:
        """Seconds since the oldest unsent event was written; 0 when there is none."""
        async with self._sessions() as session:
            oldest = await session.scalar(select(OutboxRow.created_at).order_by(OutboxRow.position).limit(1))
        return (now() - oldest).total_seconds() if oldest else 0.0


class PostgresInbox:
    """Applies events exactly once."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    async def apply(self, works: Sequence[Work]) -> list[Work]:
        """Apply those that were not applied before, in one transaction, all or none; which those were.

        Raises StoreUnavailable, and what a handler raises.
        """
        by_id: dict[UUID, Work] = {}
        for work in works:
            by_id.setdefault(work.id, work)
        try:
            async with self._sessions.begin() as session:
                # Sorted: transactions that enter the same events wait for each other, never in a circle.
                entered = await (await session.connection()).execute(_ENTER, {"ids": sorted(by_id), "moment": now()})
                new = set(entered.scalars())
                applied = [work for event_id, work in by_id.items() if event_id in new]
                await apply_all(applied, session)
            return applied
        except STORE_ERRORS as error:
            if not is_lost(error):
                raise  # a statement that was refused or took too long: the fault of one of these, maybe
            raise StoreUnavailable(f"the database is away: {reason_of(error)}") from error
