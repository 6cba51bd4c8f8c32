"""Queries on users."""

from uuid import UUID

from sqlalchemy import case, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove_notification.models import User


class UserRepository:
    """Rows of users."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def store(
        self, user_id: UUID, *, email: str | None, name: str | None, locale: str, timezone: str, sequence: int
    ) -> None:
        """Insert or update; of two events the newer one's values stay, whatever order they come in."""
        row = insert(User).values(
            id=user_id,
            email=email,
            name=name,
            locale=locale,
            timezone=timezone,
            sequence=sequence,
            updated_at=now(),
        )
        new, newer = row.excluded, row.excluded.sequence > User.sequence
        await self._session.execute(
            row.on_conflict_do_update(
                index_elements=[User.id],
                set_={
                    "email": func.coalesce(User.email, new.email),
                    "name": func.coalesce(User.name, new.name),
                    "locale": case((newer, new.locale), else_=User.locale),
                    "timezone": case((newer, new.timezone), else_=User.timezone),
                    "sequence": func.greatest(User.sequence, new.sequence),
                    "updated_at": new.updated_at,
                },
            )
        )
