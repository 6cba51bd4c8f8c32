"""What happened to a connection's tokens, in a log that is only added to."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from grove.security.audit import START, audit_entry, link
from grove_provider_sync.models import TokenAudit
from grove_provider_sync.tokens.owner import Owner

Ended = Literal["tokens_revoked", "tokens_destroyed"]
Action = Literal["tokens_granted", "token_rotated", "tokens_refused", "tokens_killed"] | Ended

_CHAIN = 0x6175  # sets these advisory locks apart from others


async def record(
    session: AsyncSession,
    action: Action,
    owner: Owner,
    *,
    outcome: Literal["success", "failure"] = "success",
    actor_id: UUID | None = None,
    **detail: str,
) -> None:
    """Add an entry to the connection's chain, in the transaction of what it tells, and hold the chain until it ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(owner.connection_id), _CHAIN))))
    last = await _last(session, owner.connection_id)
    position, previous = (last.position + 1, last.hash.hex()) if last else (1, START)
    entry = audit_entry(
        f"provider.{action}",
        outcome,
        actor_id=actor_id,
        subject_id=str(owner.connection_id),
        provider=owner.provider,
        **detail,
    )
    content: dict[str, Any] = entry.model_dump(mode="json")
    session.add(
        TokenAudit(
            id=entry.id,
            connection_id=owner.connection_id,
            position=position,
            provider=owner.provider,
            action=action,
            at=entry.at,
            entry=content,
            hash=bytes.fromhex(link(previous, entry)),
        )
    )
    await session.flush()


async def _last(session: AsyncSession, connection_id: UUID) -> TokenAudit | None:
    newest = select(TokenAudit).where(TokenAudit.connection_id == connection_id)
    return await session.scalar(newest.order_by(TokenAudit.position.desc()).limit(1))
