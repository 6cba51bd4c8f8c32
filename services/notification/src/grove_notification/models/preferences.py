"""The notification_preferences table."""

from datetime import datetime, time
from uuid import UUID

from sqlalchemy import Integer, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Preferences(Base):
    """How a user wants to be told. Who never chose has no row. `version`: how often they chose.

    `types`: for a notification type, the channels that differ from its default. Times are the user's own.
    """

    __tablename__ = "notification_preferences"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    types: Mapped[dict[str, dict[str, bool]]] = mapped_column(JSONB)
    quiet_start: Mapped[time | None]
    quiet_end: Mapped[time | None]
    digest: Mapped[str] = mapped_column(String(10))
    digest_at: Mapped[time]
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime]
