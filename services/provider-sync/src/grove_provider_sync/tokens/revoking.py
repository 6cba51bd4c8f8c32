"""Tokens that nothing uses any more wait here until their provider has forgotten them, or their time is over."""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.encryption import DecryptionFailed
from grove_provider_sync.models import Connection, TokenRevocation
from grove_provider_sync.providers.interface import Tokens
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens import audit, sealing
from grove_provider_sync.tokens.owner import Owner

log = structlog.get_logger()


async def take_away(session: AsyncSession, resources: Resources, connection: Connection, *, erases: bool) -> bool:
    """Take the locked connection's tokens from it, for the provider to forget. Whether there is something to wait for.

    `erases`: its account was deleted.
    """
    if connection.sealed_tokens is None:
        return False
    owner = Owner.of(connection)
    try:
        tokens = sealing.stored(resources.token_cipher, connection)
    except DecryptionFailed as error:
        log.error("provider.tokens_unreadable", connection_id=str(connection.id), error=str(error))
        await _destroyed(session, owner, "they could not be read")
        tokens = None
    connection.sealed_tokens, connection.refreshing_until = None, None
    connection.token_version += 1
    return tokens is not None and await queue(session, resources, owner, tokens, erases=erases)


async def queue(
    session: AsyncSession, resources: Resources, owner: Owner, tokens: Tokens, *, erases: bool = False
) -> bool:
    """Have the tokens forgotten by their provider. False for one that can't be told: they are just destroyed."""
    if not resources.providers.describe(owner.provider).revokes:
        await _destroyed(session, owner, "the provider can't be told")
        return False
    moment, row_id = now(), new_id()
    session.add(
        TokenRevocation(
            id=row_id,
            connection_id=owner.connection_id,
            user_id=owner.user_id,
            provider=owner.provider,
            sealed_tokens=resources.token_cipher.seal(sealing.written(tokens), purpose=purpose_of(row_id)),
            erases=erases,
            next_attempt_at=moment,
            give_up_at=moment + timedelta(hours=resources.settings.revoke_within_hours),
            created_at=moment,
        )
    )
    await session.flush()
    return True


def purpose_of(revocation_id: UUID) -> str:
    """What waiting tokens are sealed for."""
    return f"revocation:{revocation_id}"


async def _destroyed(session: AsyncSession, owner: Owner, why: str) -> None:
    await audit.record(session, "tokens_destroyed", owner, reason=why)
