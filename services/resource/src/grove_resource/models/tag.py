"""The tags table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Tag(Base):
    """A user's word for tasks. Tasks hold the names themselves (`Task.tags`), so that lists need no second look."""

    __tablename__ = "tags"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(50))
    color: Mapped[str | None] = mapped_column(String(7))
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    # GET /tags, sorted by name, and the tags that a task brings along
    __table_args__ = (UniqueConstraint("user_id", "name"),)
