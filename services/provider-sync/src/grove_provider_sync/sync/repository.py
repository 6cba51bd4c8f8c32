"""Queries on sync runs, and on what runs change."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, literal, or_, select, true, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from grove.contracts.provider_sync import TOLD_FAILURES
from grove.core.clock import now
from grove.core.ids import new_id
from grove_provider_sync.models import Connection, SyncRun

HAND_OVER_AGAIN = timedelta(seconds=30)
OPEN = ("queued", "running")
ASKED = ("user", "initial")
"""Triggers of runs that their user waits for, at the screen; a failure of one is told at once."""
UNASKED = ("scheduled", "webhook")
_HANDING_OVER = 0x70736A6F  # the advisory lock of who hands runs over


_QUEUED = select(func.count()).where(
    SyncRun.status == "queued", SyncRun.handed_over_at >= bindparam("since", type_=SyncRun.handed_over_at.type)
)


class SyncRunRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def enqueue(self, connection: Connection, trigger: str) -> None:
        """A run for the connection, unless one is queued or running: then that one serves, as its user's when they ask
        for it.
        """
        open_run = and_(SyncRun.connection_id == connection.id, SyncRun.status.in_(OPEN))
        if trigger == "user":
            await self._session.execute(
                update(SyncRun).where(open_run, SyncRun.trigger.in_(UNASKED)).values(trigger=trigger)
            )
        await self._session.execute(
            insert(SyncRun)
            .values(
                id=new_id(),
                connection_id=connection.id,
                user_id=connection.user_id,
                trigger=trigger,
                status="queued",
                created_at=now(),
            )
            .on_conflict_do_nothing()
        )

    async def due_connections(self, limit: int) -> Sequence[Connection]:
        """Connections whose next run is due, claimed: other schedulers pass over them."""
        found = await self._session.scalars(
            select(Connection)
            .where(Connection.next_sync_at <= now(), Connection.status.in_(("active", "error")))
            .order_by(Connection.next_sync_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return found.all()

    async def may_hand_over(self) -> bool:
        """One scheduler at a time hands runs over, until its transaction ends: two would give a user two slots."""
        return bool(await self._session.scalar(select(func.pg_try_advisory_xact_lock(_HANDING_OVER))))

    async def to_hand_over(self, limit: int) -> Sequence[SyncRun]:
        """Runs that the queue shall carry: new ones, and those whose worker went silent.

        One of each user and provider at a time: however many connections somebody has, others wait for one of them.
        Who waits at the screen is first. No more than `limit` are with the queue, or what it can't keep up with would
        be handed over again and again.
        """
        moment = now()
        limit -= await self._session.scalar(_QUEUED, {"since": moment - HAND_OVER_AGAIN}) or 0
        if limit <= 0:
            return []
        waits = and_(
            SyncRun.status.in_(OPEN),
            or_(SyncRun.not_before.is_(None), SyncRun.not_before <= moment),
            ~_in_flight(SyncRun, Connection, moment),
        )
        other, its = aliased(SyncRun), aliased(Connection)
        busy = exists().where(
            other.user_id == SyncRun.user_id,
            other.status.in_(OPEN),
            its.id == other.connection_id,
            its.provider == Connection.provider,
            _in_flight(other, its, moment),
        )
        turn = func.coalesce(SyncRun.not_before, SyncRun.created_at)
        asked = case((SyncRun.trigger.in_(ASKED), 0), else_=1)
        first = (
            select(SyncRun.id, turn.label("turn"), asked.label("asked"))
            .join(Connection, Connection.id == SyncRun.connection_id)
            .where(waits, ~busy)
            .ext(distinct_on(SyncRun.user_id, Connection.provider))
            .order_by(SyncRun.user_id, Connection.provider, asked, turn)
            .subquery()
        )
        found = await self._session.scalars(
            select(SyncRun).join(first, first.c.id == SyncRun.id).order_by(first.c.turn).limit(limit)
        )
        return found.all()

    async def handed_over(self, ids: Collection[UUID]) -> None:
        """The queue carries them."""
        await self._session.execute(update(SyncRun).where(SyncRun.id.in_(ids)).values(handed_over_at=now()))

    async def lease(self, connection_id: UUID, by: UUID, until: datetime) -> bool:
        """Take the connection for a run; False when another worker has it."""
        return await self._leased(
            connection_id, or_(Connection.lease_until.is_(None), Connection.lease_until < now()), by, until
        )

    async def renew(self, connection_id: UUID, by: UUID, until: datetime) -> bool:
        """Keep it; False when it was taken over or has ended."""
        return await self._leased(connection_id, Connection.leased_by == by, by, until)

    async def locked(self, connection_id: UUID) -> Connection | None:
        """The connection, locked; None when it was removed."""
        return await self._session.get(Connection, connection_id, with_for_update=True)

    async def locked_with_run(self, connection_id: UUID) -> tuple[Connection, SyncRun] | None:
        """The connection, locked, with its open run; None when there is not both."""
        found = await self._session.execute(
            select(Connection, SyncRun)
            .join(SyncRun, SyncRun.connection_id == Connection.id)
            .where(Connection.id == connection_id, SyncRun.status.in_(OPEN))
            .with_for_update(of=Connection)
        )
        row = found.one_or_none()
        return None if row is None else (row.Connection, row.SyncRun)

    async def open_run(self, connection_id: UUID) -> SyncRun | None:
        """The connection's queued or running run."""
        return await self._session.scalar(
            select(SyncRun).where(SyncRun.connection_id == connection_id, SyncRun.status.in_(OPEN))
        )

    async def failure_was_told(self, connection: Connection) -> bool:
        """Whether the user was told of a run that failed since the last one that worked."""
        if connection.failures >= TOLD_FAILURES:
            return True
        failed = and_(SyncRun.connection_id == connection.id, SyncRun.status == "failed", SyncRun.trigger.in_(ASKED))
        since = true() if connection.last_synced_at is None else SyncRun.finished_at > connection.last_synced_at
        told = select(exists().where(failed, since))
        return connection.failures > 0 and bool(await self._session.scalar(told))

    async def _leased(self, connection_id: UUID, condition: ColumnElement[bool], by: UUID, until: datetime) -> bool:
        taken = await self._session.execute(
            update(Connection)
            .where(Connection.id == connection_id, condition)
            .values(lease_until=until, leased_by=by)
            .returning(literal(1))
        )
        return taken.first() is not None


def _in_flight(run: type[SyncRun], connection: type[Connection], moment: datetime) -> ColumnElement[bool]:
    """Whether the queue or a worker has it. One that was begun and whose lease is over has lost its worker."""
    return or_(
        and_(run.status == "queued", func.coalesce(run.handed_over_at >= moment - HAND_OVER_AGAIN, False)),
        func.coalesce(connection.lease_until >= moment, False),
    )
