"""The accounts table."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Account(Base):
    """An account at a provider. `closed_at`: the provider no longer lists it; its history stays."""

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    provider_id: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(40))
    mask: Mapped[str | None] = mapped_column(String(10))
    currency: Mapped[str] = mapped_column(String(3))
    balance: Mapped[Decimal | None] = mapped_column(Numeric(20, 4))
    available: Mapped[Decimal | None] = mapped_column(Numeric(20, 4))
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("connection_id", "provider_id", name="uq_accounts_provider_id"),  # upsert
        Index("ix_accounts_user", "user_id"),  # GET /accounts
    )
