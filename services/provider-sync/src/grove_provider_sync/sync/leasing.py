"""Who runs a connection: one worker at a time, for as long as it says that it lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.tasks import end
from grove.postgres.engine import STORE_ERRORS
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.sync.repository import SyncRunRepository

log = structlog.get_logger()


class RunLost(Exception):
    """The connection was removed, or another worker took the run over."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A connection that is ours, by the name `by`, while we renew it."""

    sessions: async_sessionmaker[AsyncSession]
    connection_id: UUID
    by: UUID
    seconds: float

    def end(self) -> datetime:
        """When it ends, if it is not renewed from now on."""
        return now() + timedelta(seconds=self.seconds)

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Kept while the block runs; a block whose lease is lost is ended. Raises RunLost."""
        work = asyncio.current_task()
        lost = False

        async def keep() -> None:
            nonlocal lost
            while not lost:
                await asyncio.sleep(self.seconds / 3)
                lost = not await self._renew()
            if work is not None:
                work.cancel()

        keeping = asyncio.create_task(keep())
        try:
            yield
        except asyncio.CancelledError:
            if lost and work is not None and work.uncancel() == 0:
                raise RunLost from None
            raise
        finally:
            await end(keeping)

    async def of(self, session: AsyncSession) -> tuple[Connection, SyncRun]:
        """The connection, locked, and its open run. Raises RunLost when they are not ours any more."""
        found = await SyncRunRepository(session).locked_with_run(self.connection_id)
        if found is None or found[0].leased_by != self.by:
            raise RunLost
        return found

    async def _renew(self) -> bool:
        try:
            async with self.sessions.begin() as session:
                return await SyncRunRepository(session).renew(self.connection_id, self.by, self.end())
        except STORE_ERRORS as error:
            log.warning("sync.lease_not_renewed", connection_id=str(self.connection_id), error=str(error))
            return True  # whoever writes asks whether it is still ours
