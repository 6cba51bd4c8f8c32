"""The transactions table."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, Index, LargeBinary, Numeric, String, UniqueConstraint, column
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, deferred, mapped_column

from grove.postgres.base import Base


class Transaction(Base):
    """A booking. `payload_hash` tells a repeat from a change; a removed one keeps its row with `removed_at`.

    `pending_provider_id`: what it was called while it was pending; a posted booking takes over the row. `seen_at`: the
    mark of the last walk that read everything and met it (its connection's `whole_since`).
    """

    __tablename__ = "transactions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    provider_id: Mapped[str] = mapped_column(String(200))
    pending_provider_id: Mapped[str | None] = mapped_column(String(200))
    payload_hash: Mapped[bytes] = mapped_column(LargeBinary)
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 4))
    currency: Mapped[str] = mapped_column(String(3))
    description: Mapped[str] = mapped_column(String(500))
    category: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(10))
    booked_at: Mapped[date]
    value_at: Mapped[date | None]
    updated_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    search: Mapped[str] = deferred(
        mapped_column(TSVECTOR, Computed("to_tsvector('simple', description)", persisted=True))
    )

    __table_args__ = (
        UniqueConstraint("connection_id", "provider_id", name="uq_transactions_provider_id"),  # upsert
        # GET /transactions in its default order, numbered and by cursor
        Index("ix_transactions_user_booked", "user_id", column("booked_at").desc(), column("id").desc()),
        # the transactions of one account, GET /accounts/{id}/transactions
        Index("ix_transactions_account_booked", "account_id", column("booked_at").desc(), column("id").desc()),
    )
