"""The tasks table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    column,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, deferred, mapped_column

from grove.postgres.base import Base

_DUE_KEY = "COALESCE(due_at, '9999-12-31 00:00:00+00'::timestamp with time zone)"


class Task(Base):
    """One task. `version` rises with each change: it is the ETag, and the sequence of the task's events.

    `recurrence` is an RFC 5545 RRULE without DTSTART, which is `due_at`; `repeated_at` is when completing it made the
    next one. Subtasks that were deleted with their parent have its `deleted_at`, and come back with it.
    """

    __tablename__ = "tasks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(1000), server_default="")
    completed_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(50)), server_default="{}")
    recurrence: Mapped[str | None] = mapped_column(String(500))
    repeated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    search: Mapped[str] = deferred(
        mapped_column(TSVECTOR, Computed("to_tsvector('simple', title || ' ' || description)", persisted=True))
    )

    __table_args__ = (
        CheckConstraint("priority BETWEEN 0 AND 3", name="priority"),
        # GET /tasks in its default order, numbered and by cursor; tags and words, which are looked for in a user's rows
        Index("ix_tasks_user_created", "user_id", column("created_at").desc(), column("id").desc()),
        # GET /tasks?sort=due_at, due_before, due_after
        Index("ix_tasks_user_due", "user_id", text(_DUE_KEY), "id"),
        # the purge of what was deleted long ago
        Index("ix_tasks_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        # GET /tasks?parent_id=, and the cascade from a parent
        Index("ix_tasks_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    )


TITLE_KEY = func.lower(Task.title)
"""What `sort=title` compares."""
DUE_KEY = func.coalesce(Task.due_at, literal_column("'9999-12-31 00:00:00+00'::timestamptz", Task.due_at.type))
"""What `sort=due_at` compares: tasks without a due date come last. `ix_tasks_user_due` has it (_DUE_KEY)."""
