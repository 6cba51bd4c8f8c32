"""What follows from a notice. Each effect is one that a repetition adds nothing to."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.provider_sync import TOLD_FAILURES
from grove.core.clock import now
from grove_provider_sync.connections import standing
from grove_provider_sync.models import Connection
from grove_provider_sync.notices.repository import ToldRepository
from grove_provider_sync.providers.interface import Description, Notice
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.tokens import audit, revoking
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.versions import are_alive

log = structlog.get_logger()

MOST = 200
"""Connections that one notice concerns: each is another user who gave access to the same customer's data."""
USABLE = ("active", "error")
REPAIRED = "Access works again. A synchronisation is on its way."


class NoticeService:
    """Takes what a provider tells.

    A connection has a transaction of its own, so that no two are ever locked at once. When one fails the provider hears
    of it, and tells all of it again.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def take(self, provider: Description, notices: Sequence[Notice]) -> None:
        """Do what follows; when this returns it is committed."""
        for notice in dict.fromkeys(notices):
            for connection_id in await self._concerned(provider, notice):
                await self._apply(provider, notice, connection_id)

    async def _concerned(self, provider: Description, notice: Notice) -> Sequence[UUID]:
        async with self._resources.sessions() as session:
            found = await ToldRepository(session).ids(provider.key, notice.external_id, MOST + 1)
        if len(found) > MOST:
            log.warning("provider.notice_for_many", provider=provider.key, kind=notice.kind, taken=MOST)
        log.info("provider.notice", provider=provider.key, kind=notice.kind, connections=len(found))
        return found[:MOST]

    async def _apply(self, provider: Description, notice: Notice, connection_id: UUID) -> None:
        async with self._resources.sessions.begin() as session:
            connection = await ToldRepository(session).locked(connection_id)
            if connection is None or _is_of_before(notice, connection):
                return
            match notice.kind:
                case "news":
                    await _news(session, connection)
                case "refused":
                    await _lost(session, connection, provider, "refused")
                case "withdrawn":
                    await _lost(session, connection, provider, "withdrawn")
                    await revoking.take_away(session, self._resources, connection, erases=False)
                case "ends_soon":
                    _ends(connection, notice)
                case "repaired":
                    await _repaired(session, connection)


def _is_of_before(notice: Notice, connection: Connection) -> bool:
    """Whether it is about access that the user has given anew since; signatures know seconds only."""
    if notice.written_at is None or connection.linked_at is None:
        return False
    return notice.written_at < connection.linked_at.replace(microsecond=0)


async def _news(session: AsyncSession, connection: Connection) -> None:
    """A run that is under way may have passed what is new: by `news_at` another one follows it."""
    if connection.status in USABLE:
        connection.news_at = now()
        await SyncRunRepository(session).enqueue(connection, "webhook")


async def _lost(session: AsyncSession, connection: Connection, provider: Description, code: standing.Lost) -> None:
    if connection.status not in USABLE:
        return
    await audit.record(session, "tokens_refused", Owner.of(connection), outcome="failure", reason=code)
    run = await SyncRunRepository(session).open_run(connection.id)
    await standing.lose_access(session, connection, provider, code, run)


def _ends(connection: Connection, notice: Notice) -> None:
    if notice.ends_at is not None and (connection.reauth_by is None or notice.ends_at < connection.reauth_by):
        connection.reauth_by = notice.ends_at


async def _repaired(session: AsyncSession, connection: Connection) -> None:
    """Access works again without us: a run at once shows whether it does, and its user is told as after failures."""
    if connection.status != "needs_reauth" or not await are_alive(session, connection):
        return
    connection.status, connection.status_detail = "active", REPAIRED
    connection.failures = max(connection.failures, TOLD_FAILURES)
    if connection.reauth_by is not None and connection.reauth_by <= now():
        connection.reauth_by = connection.warned_days = None
    await SyncRunRepository(session).enqueue(connection, "webhook")
