"""Queries on what operators end."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove_provider_sync.models import Connection, ProviderState


class RevocationRepository:
    """Rows for change, in a transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def raise_version(self, provider: str, by: UUID | None, reason: str) -> int:
        """The provider's next version: all tokens that there are become older than it, also those being granted."""
        told = {"revoked_at": now(), "revoked_by": by, "reason": reason}
        first = insert(ProviderState).values(provider=provider, token_version=1, **told)
        raised = await self._session.execute(
            first.on_conflict_do_update(
                index_elements=[ProviderState.provider],
                set_={
                    "token_version": ProviderState.token_version + 1,
                    **{name: first.excluded[name] for name in told},
                },
            ).returning(ProviderState.token_version)
        )
        return raised.scalar_one()

    async def states(self) -> Sequence[ProviderState]:
        """Providers whose tokens were ever revoked."""
        return (await self._session.scalars(select(ProviderState))).all()

    async def has_connections(self, provider: str) -> bool:
        """Whether there is any, living or not."""
        found = await self._session.scalar(select(Connection.id).where(Connection.provider == provider).limit(1))
        return found is not None

    async def count_older(self, provider: str, version: int) -> int:
        """Connections that hold tokens of an older version."""
        older = select(func.count()).select_from(Connection).where(_older(provider, version))
        return await self._session.scalar(older) or 0

    async def older(self, provider: str, version: int, *, limit: int) -> Sequence[UUID]:
        """Some of them that nobody else holds."""
        found = await self._session.scalars(
            select(Connection.id).where(_older(provider, version)).limit(limit).with_for_update(skip_locked=True)
        )
        return found.all()

    async def lock_older(self, connection_id: UUID, provider: str, version: int) -> Connection | None:
        """One of them, locked; None when it is not any more, or somebody else holds it."""
        return await self._session.scalar(
            select(Connection)
            .where(Connection.id == connection_id, _older(provider, version))
            .with_for_update(skip_locked=True)
        )

    async def locked(self, connection_id: UUID) -> Connection | None:
        """The connection, locked; None when there is none."""
        return await self._session.get(Connection, connection_id, with_for_update=True)


def _older(provider: str, version: int) -> ColumnElement[bool]:
    return (
        (Connection.provider == provider)
        & Connection.sealed_tokens.is_not(None)
        & (Connection.provider_version < version)
    )
