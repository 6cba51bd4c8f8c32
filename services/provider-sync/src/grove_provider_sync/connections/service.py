"""What a user does with a connection. Never commits."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from grove_provider_sync.connections import events
from grove_provider_sync.connections.errors import ConnectionNotUsable
from grove_provider_sync.connections.repository import ConnectionRepository
from grove_provider_sync.connections.standing import REVOKED, end_run
from grove_provider_sync.models import Connection
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.tokens import revoking


class ConnectionService:
    """Synchronises and removes."""

    def __init__(self, resources: Resources, session: AsyncSession) -> None:
        self._resources = resources
        self._session = session
        self._connections = ConnectionRepository(session)
        self._runs = SyncRunRepository(session)

    async def sync(self, user_id: UUID, connection_id: UUID) -> None:
        """Queue a run that the user asks for; an open one already serves. Raises ConnectionNotUsable."""
        connection = await self._connections.locked(connection_id, user_id)
        if connection.status not in {"active", "error"}:
            raise ConnectionNotUsable
        await self._runs.enqueue(connection, "user")

    async def remove(self, user_id: UUID, connection_id: UUID) -> None:
        """Nothing is fetched any more from now on; a worker gives the tokens back, and erases the data if it shall."""
        connection = await self._connections.locked(connection_id, user_id)
        if connection.status != "revoked":
            await revoke(self._session, self._resources, connection)
            provider = self._resources.providers.describe(connection.provider)
            await events.tell(self._session, connection, events.removed(connection, provider))
        connection.erasing = connection.erasing or self._resources.settings.removed_connections == "erase"


async def revoke(session: AsyncSession, resources: Resources, connection: Connection, *, erases: bool = False) -> bool:
    """End the locked connection at once: its open run, and its tokens. Whether there are tokens to give back.

    `erases`: its account was deleted.
    """
    run = await SyncRunRepository(session).open_run(connection.id)
    if run is not None:
        end_run(run, "failed", "revoked", REVOKED)
    connection.status, connection.status_detail, connection.next_sync_at = "revoked", REVOKED, None
    connection.reauth_by, connection.lease_until, connection.leased_by = None, None, None
    return await revoking.take_away(session, resources, connection, erases=erases)
