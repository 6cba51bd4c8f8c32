"""Which tokens a worker gives back next, among all workers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.subqueries import evaluated_once
from grove_provider_sync.models import TokenRevocation
from grove_provider_sync.tokens.owner import Owner


@dataclass(frozen=True, slots=True)
class Claimed:
    """Waiting tokens that this worker has until `leased_until`; who comes later has no say about them any more."""

    id: UUID
    owner: Owner
    sealed_tokens: str
    attempts: int
    give_up_at: datetime
    leased_until: datetime


def of_provider(key: str) -> ColumnElement[bool]:
    """Those that this provider shall forget."""
    return TokenRevocation.provider == key


def of_others(keys: Collection[str]) -> ColumnElement[bool]:
    """Those of none of these providers."""
    return TokenRevocation.provider.not_in(keys)


async def claim(
    session: AsyncSession, which: ColumnElement[bool], *, most: int, lease_seconds: float
) -> Sequence[Claimed]:
    """Take up to `most` that are due, the oldest first. A worker that dies lets them go with its lease."""
    moment = now()
    due = (
        select(TokenRevocation.id)
        .where(which, TokenRevocation.next_attempt_at <= moment)
        .order_by(TokenRevocation.next_attempt_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    taken = await session.execute(
        update(TokenRevocation)
        .where(TokenRevocation.id.in_(evaluated_once(due)))
        .values(next_attempt_at=moment + timedelta(seconds=lease_seconds))
        .returning(
            TokenRevocation.id,
            TokenRevocation.connection_id,
            TokenRevocation.user_id,
            TokenRevocation.provider,
            TokenRevocation.sealed_tokens,
            TokenRevocation.attempts,
            TokenRevocation.give_up_at,
            TokenRevocation.next_attempt_at,
        )
    )
    return [
        Claimed(
            id=row.id,
            owner=Owner(row.connection_id, row.user_id, row.provider),
            sealed_tokens=row.sealed_tokens,
            attempts=row.attempts,
            give_up_at=row.give_up_at,
            leased_until=row.next_attempt_at,
        )
        for row in taken
    ]


async def put_off(session: AsyncSession, claimed: Claimed, until: datetime, *, counts: bool) -> None:
    """Try again then, but no later than the time is over; unless another worker has them by now.

    `counts`: as a try that failed.
    """
    await session.execute(
        update(TokenRevocation)
        .where(TokenRevocation.id == claimed.id, TokenRevocation.next_attempt_at == claimed.leased_until)
        .values(next_attempt_at=min(until, claimed.give_up_at), attempts=claimed.attempts + counts)
    )
