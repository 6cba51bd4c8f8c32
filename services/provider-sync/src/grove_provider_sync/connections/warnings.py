"""Access that ends by itself: its user is told some days ahead, and at the end."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, and_, case, func, null, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove_provider_sync.connections import events
from grove_provider_sync.connections.standing import lose_access, with_warning
from grove_provider_sync.models import Connection
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.repository import SyncRunRepository

log = structlog.get_logger()

LOOK_SECONDS = 60.0
AT_ONCE = 50
DAYS = (1, 3, 7)
"""How long ahead users are told: at each of these once, and when nobody did in time, at the nearest only."""
SLACK = timedelta(hours=1)
"""Clocks differ: access that is given for seven days is not warned of at its beginning."""


class AccessWarnings:
    """Runs in every worker: each connection is locked, and told of by one of them."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def run(self) -> None:
        """Look until cancelled."""
        await every(LOOK_SECONDS, self.look_at_all, away=STORE_ERRORS)

    async def look_at_all(self) -> None:
        """Tell all that is due now."""
        while await self.look() == AT_ONCE:
            continue

    async def look(self) -> int:
        """Tell what is due now, some at once; how many connections that were."""
        async with self._resources.sessions.begin() as session:
            due = await _due(session, now())
            for connection, days in due:
                if days is None:
                    await self._end(session, connection)
                else:
                    await self._warn(session, connection, days)
        return len(due)

    async def _warn(self, session: AsyncSession, connection: Connection, days: int) -> None:
        ends_at = connection.reauth_by
        if ends_at is None:
            return
        connection.warned_days = days
        connection.status_detail = with_warning(connection, connection.status_detail)
        fact = events.needs_reauth(
            connection,
            self._resources.providers.describe(connection.provider),
            code="ends_soon",
            reason="The access you gave will end.",
            ends_at=ends_at,
            days_left=max(1, math.ceil((ends_at - now()) / timedelta(days=1))),
        )
        await events.tell(session, connection, fact)
        log.info("connection.ends_soon", connection_id=str(connection.id), days=days)

    async def _end(self, session: AsyncSession, connection: Connection) -> None:
        provider = self._resources.providers.describe(connection.provider)
        run = await SyncRunRepository(session).open_run(connection.id)
        await lose_access(session, connection, provider, "consent_ended", run)


async def _due(session: AsyncSession, moment: datetime) -> Sequence[tuple[Connection, int | None]]:
    """Connections to tell of, locked, with the days of the warning; None where access has ended."""
    ended = Connection.reauth_by <= moment
    nearest = case((ended, null()), *((_is_within(days, moment), days) for days in DAYS))
    due = or_(ended, nearest < func.coalesce(Connection.warned_days, max(DAYS) + 1))
    found = await session.execute(
        select(Connection, nearest.label("days"))
        .where(
            Connection.status.in_(("active", "error")),
            Connection.reauth_by <= moment + timedelta(days=max(DAYS)),
            due,
        )
        .order_by(Connection.reauth_by)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True, of=Connection)
    )
    return [(row.Connection, row.days) for row in found]


def _is_within(days: int, moment: datetime) -> ColumnElement[bool]:
    """Whether access ends so soon, and was given for longer than that."""
    whole = Connection.reauth_by - func.coalesce(Connection.linked_at, Connection.created_at)
    ahead = timedelta(days=days)
    return and_(Connection.reauth_by <= moment + ahead, whole > ahead + SLACK)
