"""Queries on users."""

from uuid import UUID

from sqlalchemy import case, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove_notification.models import User
from grove_notification.users.recipients import forget


class UserRepository:
    """Rows of users."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def store(self, user_id: UUID, *, email: str | None, locale: str, timezone: str, sequence: int) -> None:
        """Insert or update; of two events the newer one's values stay, whatever order they come in."""
        forget(self._session, user_id)
        row = insert(User).values(
            id=user_id,
            email=email,
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
                    "locale": case((newer, new.locale), else_=User.locale),
                    "timezone": case((newer, new.timezone), else_=User.timezone),
                    "sequence": func.greatest(User.sequence, new.sequence),
                    "updated_at": new.updated_at,
                },
            )
        )

    async def store_email(self, user_id: UUID, email: str, *, sequence: int) -> None:
        """Another address; of two such events the newer one's stays."""
        await self._store_one(user_id, "email", email, sequence)

    async def store_blocked(self, user_id: UUID, *, blocked: bool, sequence: int) -> None:
        """Whether an administrator blocked the account; of two such events the newer one's stays."""
        await self._store_one(user_id, "blocked", blocked, sequence)

    async def _store_one(self, user_id: UUID, name: str, value: str | bool, sequence: int) -> None:
        """A value that has a sequence of its own.

        For an account that is not known yet the rest is made up, older than what any event tells.
        """
        forget(self._session, user_id)
        numbered = f"{name}_sequence"
        made_up = {"locale": "en", "timezone": "UTC", "sequence": 0, "updated_at": now()}
        row = insert(User).values(id=user_id, **made_up, **{name: value, numbered: sequence})
        columns, new = User.__table__.c, row.excluded
        newer = new[numbered] > columns[numbered]
        await self._session.execute(
            row.on_conflict_do_update(
                index_elements=[User.id],
                set_={
                    name: case((newer, new[name]), else_=columns[name]),
                    numbered: func.greatest(columns[numbered], new[numbered]),
                    "updated_at": new.updated_at,
                },
            )
        )
