"""The balances table."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Balance(Base):
    """What an account held on a day (UTC), as last told on it. Its currency is the account's."""

    __tablename__ = "balances"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    balance: Mapped[Decimal | None] = mapped_column(Numeric(20, 4))
    available: Mapped[Decimal | None] = mapped_column(Numeric(20, 4))
