"""Queries on profiles."""

from uuid import UUID

import asyncpg
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.reads import Reads, Row, Statement
from grove.service.erasure import is_erased
from grove_resource.models import Profile
from grove_resource.profiles.errors import NameTaken
from grove_resource.profiles.names import name_key

_GET = Statement(
    select(
        Profile.user_id,
        Profile.name,
        Profile.bio,
        Profile.photo_key,
        Profile.version,
        Profile.created_at,
        Profile.updated_at,
    ).where(Profile.user_id == bindparam("user_id"))
)


class ProfileQueries:
    """Reads, one statement each."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, user_id: UUID) -> Row | None:
        """Somebody's profile."""
        return await self._reads.first(_GET, user_id=user_id)


class ProfileRepository:
    """A user's own row for change, in a transaction."""

    def __init__(self, session: AsyncSession, user_id: UUID) -> None:
        self._session = session
        self.user_id = user_id

    async def locked(self) -> Profile | None:
        """The profile, locked until the transaction ends."""
        profile: Profile | None = await self._session.scalar(
            select(Profile)
            .where(Profile.user_id == self.user_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return profile

    async def is_erased(self) -> bool:
        """Whether the user was deleted."""
        return await is_erased(self._session, self.user_id)

    async def insert(self, name: str, *, provisional: bool) -> bool:
        """A first row. False when there is one by now, or the name is taken by now."""
        moment = now()
        made = await self._session.scalar(
            insert(Profile)
            .values(
                user_id=self.user_id,
                name=name,
                name_key=name_key(name),
                provisional=provisional,
                created_at=moment,
                updated_at=moment,
            )
            .on_conflict_do_nothing()
            .returning(Profile.user_id)
        )
        return made is not None

    async def rename(self, name: str) -> bool:
        """Replace a provisional name. False when the name is taken; the transaction goes on either way."""
        try:
            async with self._session.begin_nested():
                await self._session.execute(
                    update(Profile)
                    .where(Profile.user_id == self.user_id)
                    .values(
                        name=name,
                        name_key=name_key(name),
                        provisional=False,
                        version=Profile.version + 1,
                        updated_at=now(),
                    )
                    .execution_options(synchronize_session=False)
                )
        except IntegrityError:
            return False
        return True

    async def save(self) -> None:
        """Write the changes of the locked profile. Raises NameTaken."""
        try:
            await self._session.flush()
        except IntegrityError:
            raise NameTaken from None
        except DBAPIError as error:  # two who exchange their names wait for each other
            if error.orig is not None and isinstance(error.orig.__cause__, asyncpg.DeadlockDetectedError):
                raise NameTaken from None
            raise

    async def taken(self, keys: list[str]) -> set[str]:
        """Which of these are somebody's name."""
        found = await self._session.scalars(select(Profile.name_key).where(Profile.name_key.in_(keys)))
        return set(found)
