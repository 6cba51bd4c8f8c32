"""What operators end. Never commits."""

from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove_provider_sync.admin.repository import RevocationRepository
from grove_provider_sync.connections.errors import ConnectionNotFound
from grove_provider_sync.providers.registry import ProviderNotFound
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens.killing import kill

log = structlog.get_logger()


class RevocationService:
    """Ends access for `actor`, who is named in the log and in the audit of the tokens; None: at the command line."""

    def __init__(self, resources: Resources, session: AsyncSession, actor: UUID | None) -> None:
        self._resources = resources
        self._session = session
        self._revocations = RevocationRepository(session)
        self._actor = actor

    async def revoke_all(self, provider: str, reason: str) -> int:
        """Once this is committed no token of the provider that there was is used any more. How many had one.

        Their connections are told of it one after another, by a worker (admin/sweeping.py). Raises ProviderNotFound for
        a provider that is neither offered nor has any connection.
        """
        offered = any(each.description.key == provider for each in self._resources.providers.all())
        if not offered and not await self._revocations.has_connections(provider):
            raise ProviderNotFound
        version = await self._revocations.raise_version(provider, self._actor, reason)
        concerned = await self._revocations.count_older(provider, version)
        log.warning(
            "provider.revoked",
            provider=provider,
            version=version,
            connections=concerned,
            actor=_name(self._actor),
            reason=reason,
        )
        return concerned

    async def revoke(self, connection_id: UUID, reason: str) -> None:
        """End one connection's access at once; nothing when it has none. Raises ConnectionNotFound."""
        connection = await self._revocations.locked(connection_id)
        if connection is None:
            raise ConnectionNotFound
        if connection.sealed_tokens is None:
            return
        await kill(self._session, self._resources, connection, by=self._actor, reason=reason)
        log.warning(
            "connection.revoked_by_operator",
            connection_id=str(connection_id),
            actor=_name(self._actor),
            reason=reason,
        )


def _name(actor: UUID | None) -> str:
    return str(actor) if actor is not None else "operator"
