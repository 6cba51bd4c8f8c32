"""The connections and authorizations tables."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Text, column, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Connection(Base):
    """A user's link to a provider. `sealed_tokens` opens only for this connection; `sequence` counts its events."""

    __tablename__ = "connections"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    provider: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20))
    status_detail: Mapped[str] = mapped_column(String(500))
    sealed_tokens: Mapped[str | None] = mapped_column(Text)
    cursor: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    last_synced_at: Mapped[datetime | None]
    next_sync_at: Mapped[datetime | None]
    reauth_by: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    sequence: Mapped[int] = mapped_column(Integer, server_default="0")

    __table_args__ = (
        # GET /connections
        Index("ix_connections_user_created", "user_id", column("created_at").desc(), column("id").desc()),
        # connections that are due
        Index("ix_connections_due", "next_sync_at", postgresql_where=text("status IN ('active', 'error')")),
    )


class Authorization(Base):
    """One try to connect: what the callback must match. Good once, for some minutes."""

    __tablename__ = "authorizations"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    user_id: Mapped[UUID]
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_verifier: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_authorizations_expires_at", "expires_at"),  # purge
        Index("ix_authorizations_connection_id", "connection_id"),  # the cascade from a connection
    )
