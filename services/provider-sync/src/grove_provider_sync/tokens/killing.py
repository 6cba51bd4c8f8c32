"""All access to a provider is ended at once: its version rises, and with that no token of before is used any more."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from grove_provider_sync.connections.standing import lose_access
from grove_provider_sync.models import Connection
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.tokens import audit, revoking
from grove_provider_sync.tokens.owner import Owner


async def kill(
    session: AsyncSession,
    resources: Resources,
    connection: Connection,
    *,
    by: UUID | None = None,
    reason: str = "all access to the provider was ended",
) -> None:
    """The locked connection's tokens are used no more: they are given back, and its user is asked to reconnect.

    `by`: the operator, where it is known; `reason` is for the audit. Whoever had to reconnect anyway is not told again.
    """
    await audit.record(session, "tokens_killed", Owner.of(connection), actor_id=by, reason=reason)
    await revoking.take_away(session, resources, connection, erases=False)
    if connection.status == "needs_reauth":
        return
    provider = resources.providers.describe(connection.provider)
    run = await SyncRunRepository(session).open_run(connection.id)
    await lose_access(session, connection, provider, "revoked_by_operator", run)
