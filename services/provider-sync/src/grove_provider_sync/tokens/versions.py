"""Which tokens of a provider are alive: those of its present version."""

from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.postgres.reads import Reads, Statement
from grove_provider_sync.models import Connection, ProviderState

_PRESENT = select(ProviderState.token_version).where(ProviderState.provider == Connection.provider).scalar_subquery()
_LIVING = Statement(
    select(Connection.token_version).where(
        Connection.id == bindparam("connection_id"),
        Connection.sealed_tokens.is_not(None),
        Connection.provider_version >= func.coalesce(_PRESENT, 0),
    )
)


async def provider_version(session: AsyncSession, provider: str) -> int:
    """The provider's present version: tokens granted under a lower one are dead."""
    version = select(ProviderState.token_version).where(ProviderState.provider == provider)
    return await session.scalar(version) or 0


async def are_alive(session: AsyncSession, connection: Connection) -> bool:
    """Whether the connection's tokens may be used."""
    if connection.sealed_tokens is None:
        return False
    return connection.provider_version >= await provider_version(session, connection.provider)


async def living_version(reads: Reads, connection_id: UUID) -> int | None:
    """The version of the connection's tokens while they may be used; None when they may not."""
    version: int | None = await reads.scalar(_LIVING, connection_id=connection_id)
    return version
