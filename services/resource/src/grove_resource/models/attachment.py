"""The attachments table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Attachment(Base):
    """A file of a task. Its bytes are the object `attachments/<file_key>`; `user_id` brought it.

    `scanned_at` is when a scanner last took it; one that did not finish leaves it `scanning`.
    """

    __tablename__ = "attachments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    task_id: Mapped[UUID] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    user_id: Mapped[UUID]
    file_key: Mapped[UUID] = mapped_column(unique=True)  # the sweep of files that no row names
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(11))
    scanned_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("state IN ('scanning', 'available', 'quarantined')", name="state"),
        # GET /tasks/{id}/attachments, and the cascade from the task
        Index("ix_attachments_task", "task_id", "created_at", "id"),
        # the scanner's claim, in its order
        Index(
            "ix_attachments_scanning",
            text("scanned_at NULLS FIRST"),
            "created_at",
            postgresql_where=text("state = 'scanning'"),
        ),
        # erasure
        Index("ix_attachments_user", "user_id"),
    )
