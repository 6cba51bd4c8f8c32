"""The profiles table."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from grove.postgres.base import Base


class Profile(Base):
    """What a user shows of themselves. `name_key` is the name without case, and unique.

    `provisional`: made for a token before auth told of its user; registration brings the name. The photo's
    thumbnails are the objects `photos/<photo_key>/<size>.webp`.
    """

    __tablename__ = "profiles"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(300), unique=True)
    provisional: Mapped[bool]
    bio: Mapped[str] = mapped_column(String(500), server_default="")
    photo_key: Mapped[UUID | None] = mapped_column(unique=True)  # the sweep of files that no row names
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
