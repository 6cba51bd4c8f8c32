"""The reminders table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Reminder(Base):
    """When a participant wants to hear of a task: at a time, or some minutes before it is due.

    `fires_at` is that time; None for one that counts from the due date of a task without. A moved due date arms
    the reminder again, so `fired` counts, and is the sequence of its events.
    """

    __tablename__ = "reminders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    user_id: Mapped[UUID]
    at: Mapped[datetime | None]
    minutes_before_due: Mapped[int | None] = mapped_column(Integer)
    fires_at: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]
    fired: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("(at IS NULL) <> (minutes_before_due IS NULL)", name="one_kind"),
        # GET /tasks/{id}/reminders, and the cascade from the task
        Index("ix_reminders_task", "task_id", "user_id"),
        # the worker's claim
        Index("ix_reminders_due", "fires_at", postgresql_where=text("fired_at IS NULL AND fires_at IS NOT NULL")),
        # erasure
        Index("ix_reminders_user", "user_id"),
    )
