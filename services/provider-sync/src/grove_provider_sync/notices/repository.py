"""Queries on connections by the names that providers have for them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from grove_provider_sync.models import Connection

LIVING = ("active", "error", "needs_reauth")


class ToldRepository:
    """Connections that a provider speaks of."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def ids(self, provider: str, external_id: str, limit: int) -> Sequence[UUID]:
        """The living connections of that name, by id, up to the limit."""
        found = await self._session.scalars(
            select(Connection.id)
            .where(
                Connection.provider == provider,
                Connection.external_id == external_id,
                Connection.status.in_(LIVING),
                Connection.erasing.is_(False),
            )
            .order_by(Connection.id)
            .limit(limit)
        )
        return found.all()

    async def locked(self, connection_id: UUID) -> Connection | None:
        """The connection, locked; None when it no longer lives."""
        connection = await self._session.get(Connection, connection_id, with_for_update=True)
        return connection if connection is not None and connection.status in LIVING else None
