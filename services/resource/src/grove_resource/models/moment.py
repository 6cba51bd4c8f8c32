"""The moments table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Computed, ForeignKey, Index, Integer, column, literal_column
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, deferred, mapped_column

from grove.postgres.base import Base

OWNED_DATA = literal_column("""(data || ((('{"":"'::text || user_id::text) || '"}'::text)::jsonb))""", JSONB())
"""`data`, and under the empty name, by which nobody can filter, whose it is. Spelt as PostgreSQL spells its index."""


class Moment(Base):
    """One time that a user did something. `schema_version` is the version of the schema that `data` satisfies."""

    __tablename__ = "moments"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    activity_id: Mapped[UUID] = mapped_column(ForeignKey("activities.id", ondelete="CASCADE"))
    schema_version: Mapped[int] = mapped_column(Integer)
    occurred_at: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    search: Mapped[str] = deferred(
        mapped_column(TSVECTOR, Computed("jsonb_to_tsvector('simple', data, '[\"string\"]')", persisted=True))
    )

    __table_args__ = (
        # GET /moments in its default order, GET /search?q= (an index on `search` would read everybody's words)
        Index("ix_moments_user_occurred", "user_id", column("occurred_at").desc(), column("id").desc()),
        # GET /moments?activity_id=, statistics, and the cascade from the activity
        Index("ix_moments_activity_occurred", "activity_id", column("occurred_at").desc(), column("id").desc()),
        # GET /moments?data.<path>=, among the user's own entries however many others have the same value
        Index(
            "ix_moments_data",
            OWNED_DATA.label("owned"),
            postgresql_using="gin",
            postgresql_ops={"owned": "jsonb_path_ops"},
        ),
    )
