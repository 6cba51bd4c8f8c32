"""The mails table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Mail(Base):
    """One mail on its way. Address and variables are sealed; they are dropped once the mail is sent."""

    __tablename__ = "mails"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None]
    template: Mapped[str] = mapped_column(String(40))
    locale: Mapped[str] = mapped_column(String(35))
    sealed: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    due_at: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        # what is due
        Index("ix_mails_due", "due_at", postgresql_where=text("status = 'queued'")),
        # whose they are, when the account is erased
        Index("ix_mails_user", "user_id", postgresql_where=text("user_id IS NOT NULL")),
    )
