"""The users table: what this service knows of accounts, told by auth's events."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class User(Base):
    """One account. `sequence`: auth's number of the newest event in here; a late older one changes nothing.

    `email_sequence`: the same for the address, which events of its own tell. The address is verified and in lower
    case; None until auth told it.
    """

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(String(254))
    locale: Mapped[str] = mapped_column(String(35))
    timezone: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(Integer)
    email_sequence: Mapped[int] = mapped_column(Integer, server_default="0")
    updated_at: Mapped[datetime]

    # whom POST /tasks/{id}/shares means
    __table_args__ = (Index("ix_users_email", "email"),)
