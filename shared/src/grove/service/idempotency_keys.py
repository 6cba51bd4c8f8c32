"""Idempotency keys in PostgreSQL, in the transaction of the effect."""

import zlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, SmallInteger, String, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from grove.core.clock import now
from grove.postgres.base import Base
from grove.web.idempotency import KEPT, StillRunning, StoredResponse

_LOCK_CLASS = 0x696B


class IdempotencyKeyRow(Base):
    """The answer that was given under a user's key."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)  # for the purge of old rows


class PostgresIdempotency:
    """Keeps answers in `session`'s transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def begin(self, user_id: UUID, key: str) -> StoredResponse | None:
        """Take the key for this transaction; the stored answer if there is one. Raises StillRunning."""
        lock = zlib.crc32(user_id.bytes + key.encode()) - 2**31
        if not await self._session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK_CLASS, lock))):
            raise StillRunning
        row = await self._session.scalar(
            select(IdempotencyKeyRow).where(
                IdempotencyKeyRow.user_id == user_id,
                IdempotencyKeyRow.key == key,
                IdempotencyKeyRow.created_at > now() - KEPT,
            )
        )
        return StoredResponse(row.fingerprint, row.status, row.headers, row.body) if row else None

    async def save(self, user_id: UUID, key: str, response: StoredResponse) -> None:
        """Keep the answer; an expired one under the same key is replaced."""
        values = {
            "fingerprint": response.fingerprint,
            "status": response.status,
            "headers": response.headers,
            "body": response.body,
            "created_at": now(),
        }
        await self._session.execute(
            pg_insert(IdempotencyKeyRow)
            .values(user_id=user_id, key=key, **values)
            .on_conflict_do_update(index_elements=["user_id", "key"], set_=values)
        )
