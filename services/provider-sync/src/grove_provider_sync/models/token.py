"""The token_revocations and token_audit tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class TokenRevocation(Base):
    """Tokens that nothing uses any more and that their provider shall forget; they are destroyed with this row.

    `sealed_tokens` opens for this row only. `erases`: the account was deleted, and auth is told once the last of its
    rows is gone.
    """

    __tablename__ = "token_revocations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    user_id: Mapped[UUID]
    provider: Mapped[str] = mapped_column(String(40))
    sealed_tokens: Mapped[str] = mapped_column(Text)
    erases: Mapped[bool] = mapped_column(server_default="false")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime]
    give_up_at: Mapped[datetime]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_token_revocations_next_attempt_at", "next_attempt_at"),  # what is due
        Index("ix_token_revocations_user", "user_id"),  # whether an erasure is done
    )


class TokenAudit(Base):
    """What happened to a connection's tokens: only ever added to, each entry chained to the one before of its
    connection (grove/security/audit.py). Ids are pseudonymous: erasing a person leaves it whole.
    """

    __tablename__ = "token_audit"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(Integer)
    provider: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    entry: Mapped[dict[str, object]] = mapped_column(JSONB)
    hash: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        UniqueConstraint("connection_id", "position", name="uq_token_audit_position"),  # the chain
        Index("ix_token_audit_provider_at", "provider", "at"),  # what happened to a provider's tokens lately
    )
