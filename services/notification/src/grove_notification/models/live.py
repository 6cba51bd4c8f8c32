"""The live stream of each user: what was pushed, numbered, so that whoever was away can be told again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class LivePosition(Base):
    """How far a user's stream is. Its row's lock makes the numbers rise in the order of the commits, without gaps."""

    __tablename__ = "live_positions"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class LiveFrame(Base):
    """One frame of a user's stream."""

    __tablename__ = "live_frames"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, object]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(index=True)  # for the purge of old ones
