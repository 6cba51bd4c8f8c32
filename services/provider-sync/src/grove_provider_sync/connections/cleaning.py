"""What is no longer needed of connections: all of those that their users removed, soon; the rest once an hour."""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, tuple_
from sqlalchemy.orm import aliased

from grove.core.clock import now
from grove.core.ids import earliest_at
from grove.core.recurring import every
from grove.core.tasks import side_by_side
from grove.postgres.base import Base
from grove.postgres.engine import STORE_ERRORS
from grove.service.deleting import delete_in_pieces
from grove_provider_sync.models import Account, Authorization, Balance, Connection, SyncRun, Transaction
from grove_provider_sync.resources import Resources

log = structlog.get_logger()

LOOK_SECONDS = 2.0
INTERVAL_SECONDS = 3600.0
AT_ONCE = 1000
"""Rows that one statement deletes: however many there are, none runs long."""
NEVER_CONNECTED = timedelta(days=1)


class ConnectionCleaning:
    """Runs in every worker; running twice does no harm, and who is cut goes on where it was."""

    def __init__(self, resources: Resources) -> None:
        self._sessions = resources.sessions
        self._run_age = timedelta(days=resources.settings.sync_run_days)

    async def run(self) -> None:
        """Clean until cancelled."""
        await side_by_side(
            every(LOOK_SECONDS, self.erase_removed, away=STORE_ERRORS),
            every(INTERVAL_SECONDS, self.tidy, away=STORE_ERRORS),
        )

    async def erase_removed(self) -> int:
        """Erase the connections that were removed, with what they have; how many."""
        async with self._sessions() as session:
            removed = (await session.scalars(select(Connection.id).where(Connection.erasing))).all()
        for connection_id in removed:
            await self._erase(connection_id)
        return len(removed)

    async def tidy(self) -> None:
        """Forget tries to connect that came to nothing, and old runs."""
        log.info(
            "connections.tidied",
            tries=await self._delete(Authorization, _is_over()),
            never_connected=await self._delete(Connection, _was_never_connected()),
            runs=await self._delete(SyncRun, self._is_old()),
        )

    async def _erase(self, connection_id: UUID) -> None:
        accounts = select(Account.id).where(Account.connection_id == connection_id)
        await self._delete(Transaction, Transaction.connection_id == connection_id)
        await self._delete(Balance, Balance.account_id.in_(accounts))
        await self._delete(Account, Account.connection_id == connection_id)
        await self._delete(SyncRun, SyncRun.connection_id == connection_id)
        async with self._sessions.begin() as session:
            await session.execute(delete(Connection).where(Connection.id == connection_id, Connection.erasing))
        log.info("connection.erased", connection_id=str(connection_id))

    def _is_old(self) -> ColumnElement[bool]:
        """Ended long ago, and not the last of its connection."""
        newer = aliased(SyncRun)
        has_newer = exists().where(
            newer.connection_id == SyncRun.connection_id,
            tuple_(newer.created_at, newer.id) > tuple_(SyncRun.created_at, SyncRun.id),
        )
        oldest = now() - self._run_age
        return and_(SyncRun.id < earliest_at(oldest), SyncRun.finished_at < oldest, has_newer)  # the ids have an index

    async def _delete(self, table: type[Base], condition: ColumnElement[bool]) -> int:
        return await delete_in_pieces(self._sessions, table, condition, at_once=AT_ONCE)


def _is_over() -> ColumnElement[bool]:
    """A try to connect that expired, and whose callback is not being finished."""
    moment = now()
    free = or_(Authorization.claimed_until.is_(None), Authorization.claimed_until < moment)
    return and_(Authorization.expires_at < moment, free)


def _was_never_connected() -> ColumnElement[bool]:
    tried = exists().where(Authorization.connection_id == Connection.id)
    return and_(
        Connection.status == "pending",
        Connection.sealed_tokens.is_(None),
        Connection.created_at < now() - NEVER_CONNECTED,
        ~tried,
    )
