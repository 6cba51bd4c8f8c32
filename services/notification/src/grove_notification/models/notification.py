"""The notifications table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Integer, String, column, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base

_HELD = text("held_until IS NOT NULL")


class Notification(Base):
    """Something a user was told. `version` is the ETag; `held_until`: its live frame waits for quiet hours to end."""

    __tablename__ = "notifications"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(300))
    message: Mapped[str] = mapped_column(String(1000))
    task_id: Mapped[UUID | None]
    link: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")

    __table_args__ = (
        # GET /notifications, numbered and by cursor
        Index("ix_notifications_user_created", "user_id", column("created_at").desc(), column("id").desc()),
        # GET /notifications?unread_only=true, the unread count, mark-all-read in pieces
        Index("ix_notifications_unread", "user_id", "id", postgresql_where=text("read_at IS NULL")),
        # whose quiet hours are over
        Index("ix_notifications_held", "held_until", postgresql_where=_HELD),
        # what waits for a user's other quiet hours, in pieces
        Index("ix_notifications_held_user", "user_id", "id", postgresql_where=_HELD),
        # for the purge of what was read long ago
        Index("ix_notifications_read", "read_at", postgresql_where=text("read_at IS NOT NULL")),
    )
