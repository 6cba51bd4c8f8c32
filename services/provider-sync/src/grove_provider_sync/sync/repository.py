"""Queries on sync runs, and on what runs change."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.postgres.json_rows import JsonRow
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.sync.schemas import SyncRunRead

RUN_JSON = JsonRow(
    SyncRun,
    SyncRunRead,
    {
        "id": SyncRun.id,
        "connection_id": SyncRun.connection_id,
        "trigger": SyncRun.trigger,
        "status": SyncRun.status,
        "started_at": SyncRun.started_at,
        "finished_at": SyncRun.finished_at,
        "added": SyncRun.added,
        "changed": SyncRun.changed,
        "removed": SyncRun.removed,
        "error": SyncRun.error,
    },
)
HAND_OVER_AGAIN = timedelta(seconds=30)


class SyncRunRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def enqueue(self, connection: Connection, trigger: str) -> None:
        """A run for the connection, unless one is queued or running: then that one serves."""
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

    async def to_hand_over(self, limit: int) -> Sequence[SyncRun]:
        """Runs that the queue shall carry: new ones, and those whose worker went silent."""
        moment = now()
        found = await self._session.scalars(
            select(SyncRun)
            .join(Connection, Connection.id == SyncRun.connection_id)
            .where(
                SyncRun.status.in_(("queued", "running")),
                or_(SyncRun.handed_over_at.is_(None), SyncRun.handed_over_at < moment - HAND_OVER_AGAIN),
                or_(Connection.lease_until.is_(None), Connection.lease_until < moment),
            )
            .order_by(SyncRun.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=SyncRun)
        )
        return found.all()

    async def lease(self, connection_id: UUID, until: datetime) -> bool:
        """Take the connection for a run; False when another worker has it."""
        taken = await self._session.execute(
            update(Connection)
            .where(
                Connection.id == connection_id,
                or_(Connection.lease_until.is_(None), Connection.lease_until < now()),
            )
            .values(lease_until=until)
            .returning(Connection.id)
        )
        return taken.first() is not None

    async def locked(self, connection_id: UUID) -> Connection | None:
        """The connection, locked; None when it was removed."""
        return await self._session.scalar(select(Connection).where(Connection.id == connection_id).with_for_update())

    async def open_run(self, connection_id: UUID) -> SyncRun | None:
        """The connection's queued or running run."""
        return await self._session.scalar(
            select(SyncRun).where(SyncRun.connection_id == connection_id, SyncRun.status.in_(("queued", "running")))
        )
