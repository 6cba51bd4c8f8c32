"""Which tokens of a provider are alive: those of its present version."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from grove_provider_sync.models import Connection, ProviderState


async def provider_version(session: AsyncSession, provider: str) -> int:
    """The provider's present version: tokens granted under a lower one are dead."""
    version = select(ProviderState.token_version).where(ProviderState.provider == provider)
    return await session.scalar(version) or 0


async def are_alive(session: AsyncSession, connection: Connection) -> bool:
    """Whether the connection's tokens may be used."""
    if connection.sealed_tokens is None:
        return False
    return connection.provider_version >= await provider_version(session, connection.provider)
