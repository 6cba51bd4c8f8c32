"""The activities table, and the versions of their schemas."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, String, column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Activity(Base):
    """A kind of thing that a user logs; `data_schema` says what each moment of it holds.

    `schema_version` rises when the schema changes, `version` with each change: it is the ETag.
    """

    __tablename__ = "activities"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(String(1000), server_default="")
    data_schema: Mapped[dict[str, Any]] = mapped_column(JSONB)
    schema_version: Mapped[int] = mapped_column(Integer, server_default="1")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    # GET /activities in its default order
    __table_args__ = (Index("ix_activities_user_created", "user_id", column("created_at").desc(), column("id").desc()),)


class ActivityVersion(Base):
    """A schema that an activity has or had; moments are read under the one they were logged under."""

    __tablename__ = "activity_versions"

    activity_id: Mapped[UUID] = mapped_column(ForeignKey("activities.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    data_schema: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
