"""The users table: whom to write to, told by auth's events."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class User(Base):
    """One account. `sequence`: auth's number of the newest event in here; a late older one changes nothing.

    `email_sequence`, `blocked_sequence`: the same for the address and for whether an administrator blocked it, which
    events of their own tell.
    """

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(String(254))
    locale: Mapped[str] = mapped_column(String(35))
    timezone: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(Integer)
    email_sequence: Mapped[int] = mapped_column(Integer, server_default="0")
    blocked: Mapped[bool] = mapped_column(Boolean, server_default="false")
    blocked_sequence: Mapped[int] = mapped_column(Integer, server_default="0")
    updated_at: Mapped[datetime]
