"""The users table: what this service knows of accounts, told by auth's events."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class User(Base):
    """One account. `sequence`: auth's number of the newest event in here; a late older one changes nothing."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(100))
    locale: Mapped[str] = mapped_column(String(35))
    timezone: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime]
