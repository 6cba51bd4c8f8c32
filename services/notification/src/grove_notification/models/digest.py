"""Digests: what waits to be mailed together."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Digest(Base):
    """An open digest: one at most of a recipient and key. It is deleted as it is mailed."""

    __tablename__ = "digests"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)  # which are due


class DigestItem(Base):
    """Something a digest will tell. `type`: of notification, which its reader may switch off meanwhile."""

    __tablename__ = "digest_items"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    key: Mapped[str] = mapped_column(String(40))
    type: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(300))
    message: Mapped[str] = mapped_column(String(1000))
    link: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "key"], ["digests.user_id", "digests.key"], ondelete="CASCADE"),
        # a digest's items, in their order
        Index("ix_digest_items_digest", "user_id", "key", "id"),
    )
