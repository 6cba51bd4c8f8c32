"""The provider_states table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class ProviderState(Base):
    """What holds for all connections of a provider: tokens of a version below `token_version` are dead."""

    __tablename__ = "provider_states"

    provider: Mapped[str] = mapped_column(String(40), primary_key=True)
    token_version: Mapped[int] = mapped_column(Integer)
    revoked_at: Mapped[datetime]
    revoked_by: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(String(500))
