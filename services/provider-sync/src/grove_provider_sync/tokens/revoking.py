"""Tokens that nothing uses any more wait here until their provider has forgotten them, or their time is over.

Whoever changes something about them locks, in this order: the connection, the waiting rows, the chain of the audit, the
tombstone of a deleted user.
"""

from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, exists, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.encryption import DecryptionFailed
from grove.service.erasure import ErasedUser
from grove_provider_sync.models import Connection, TokenRevocation
from grove_provider_sync.providers.interface import Tokens
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens import audit, sealing
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.users.erasure import ERASURE

log = structlog.get_logger()

OTHER_GRANT = "another grant is for the same"
"""Why a provider is not told: it may forget the other grant's tokens with them."""


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
        await destroyed(session, owner, "they could not be read")
        tokens = None
    connection.sealed_tokens, connection.refreshing_until = None, None
    connection.token_version += 1
    return tokens is not None and await queue(session, resources, owner, tokens, erases=erases)


async def queue(
    session: AsyncSession, resources: Resources, owner: Owner, tokens: Tokens, *, erases: bool = False
) -> bool:
    """Have the tokens forgotten by their provider. False for one that can't be told: they are just destroyed."""
    if not resources.providers.describe(owner.provider).revokes:
        await destroyed(session, owner, "the provider can't be told")
        return False
    moment, row_id = now(), new_id()
    session.add(
        TokenRevocation(
            id=row_id,
            connection_id=owner.connection_id,
            user_id=owner.user_id,
            provider=owner.provider,
            sealed_tokens=resources.token_cipher.seal(sealing.written(tokens), purpose=purpose_of(row_id)),
            erases=erases or await _is_awaited(session, owner.user_id),  # they may come late
            next_attempt_at=moment,
            give_up_at=moment + timedelta(hours=resources.settings.revoke_within_hours),
            created_at=moment,
        )
    )
    await session.flush()
    return True


async def await_all(session: AsyncSession, user_id: UUID) -> bool:
    """What waits of a user whose account is deleted is waited for before auth is told. Whether there is any."""
    marked = await session.execute(
        update(TokenRevocation)
        .where(TokenRevocation.user_id == user_id)
        .values(erases=True)
        .returning(TokenRevocation.id)
    )
    return bool(marked.all())


async def end(session: AsyncSession, revocation_id: UUID, *, untold: str | None = None) -> bool:
    """Destroy waiting tokens, which their provider has forgotten, or was not told of for the reason `untold`. False
    when another worker did. With the last of an erased user's, auth is told.
    """
    gone = (
        delete(TokenRevocation)
        .where(TokenRevocation.id == revocation_id)
        .returning(
            TokenRevocation.connection_id, TokenRevocation.user_id, TokenRevocation.provider, TokenRevocation.erases
        )
    )
    row = (await session.execute(gone)).one_or_none()
    if row is None:
        return False
    owner = Owner(row.connection_id, row.user_id, row.provider)
    if untold is None:
        await audit.record(session, "tokens_revoked", owner)
    else:
        await destroyed(session, owner, untold)
    if row.erases and not await _is_awaited(session, row.user_id):
        await ERASURE.tell(session, row.user_id)
    return True


async def destroyed(session: AsyncSession, owner: Owner, why: str) -> None:
    """Note that tokens are destroyed which their provider is not told of."""
    await audit.record(session, "tokens_destroyed", owner, reason=why)


def purpose_of(revocation_id: UUID) -> str:
    """What waiting tokens are sealed for."""
    return f"revocation:{revocation_id}"


async def _is_awaited(session: AsyncSession, user_id: UUID) -> bool:
    """Whether an erasure waits for tokens of the user. Workers ask one after the other, so that one of them is last."""
    await session.execute(select(literal(1)).where(ErasedUser.user_id == user_id).with_for_update())
    waits = exists().where(TokenRevocation.user_id == user_id, TokenRevocation.erases)
    return bool(await session.scalar(select(waits)))
