"""The shares table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Share(Base):
    """Somebody's part in another user's task. `user_id` is None until the owner of the address has verified it.

    `version` is the sequence of the share's events, and rises only with one.
    """

    __tablename__ = "shares"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(String(254))
    user_id: Mapped[UUID | None]
    role: Mapped[str] = mapped_column(String(6))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'editor')", name="role"),
        # GET /tasks/{id}/shares, the cascade from the task, and one share per address
        Index("uq_shares_task_id_email", "task_id", "email", unique=True),
        # whether a user may see a task, and GET /tasks of what others share
        Index("ix_shares_user", "user_id", "task_id", unique=True, postgresql_where=text("user_id IS NOT NULL")),
        # shares that wait for their address to be verified
        Index("ix_shares_waiting", "email", postgresql_where=text("user_id IS NULL")),
    )
