"""Reading profiles, which makes the row of a user who has none yet."""

from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.outbox.postgres import Outbox
from grove.postgres.reads import Row
from grove.valkey.cache import UserCache
from grove.web.etag import etag
from grove_resource.models import Profile
from grove_resource.profiles.errors import ProfileNotFound
from grove_resource.profiles.repository import ProfileQueries, ProfileRepository
from grove_resource.profiles.schemas import ProfileRead
from grove_resource.profiles.service import ProfileService
from grove_resource.settings import ResourceSettings

_PROFILE = TypeAdapter(ProfileRead)


class Viewer:
    """What a signed-in user may see."""

    def __init__(self, queries: ProfileQueries, sessions: async_sessionmaker[AsyncSession], user_id: UUID) -> None:
        self._queries = queries
        self._sessions = sessions
        self.user_id = user_id

    async def own(self) -> Row | Profile:
        """The user's own profile. Raises ProfileNotFound for an erased user."""
        profile = await self._queries.get(self.user_id)
        if profile is not None:
            return profile
        async with self._sessions.begin() as session:
            outbox = Outbox(session, ResourceSettings.service)
            return await ProfileService(ProfileRepository(session, self.user_id), outbox).own()

    async def of(self, user_id: UUID) -> Row | Profile:
        """Anybody's. Raises ProfileNotFound."""
        if user_id == self.user_id:
            return await self.own()
        profile = await self._queries.get(user_id)
        if profile is None:
            raise ProfileNotFound
        return profile

    async def own_json(self, cache: UserCache, api_url: str) -> tuple[str, str]:
        """The entity tag and the JSON of the user's own profile, from the cache if they are there."""

        async def read() -> str:
            profile = await self.own()
            body = _PROFILE.dump_json(ProfileRead.of(profile, api_url)).decode()
            return f"{etag(self.user_id, profile.version)}\n{body}"

        tag, _, body = (await cache.get(self.user_id, read)).partition("\n")
        return tag, body
