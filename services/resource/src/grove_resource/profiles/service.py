"""The rules of profiles."""

from contextlib import suppress
from uuid import UUID

from grove.core.clock import now
from grove.core.errors import PreconditionFailed, ServiceUnavailable
from grove.outbox.postgres import Outbox
from grove.web.etag import Conditions, etag
from grove_resource.images.rules import SIZES
from grove_resource.models import Profile
from grove_resource.profiles import events
from grove_resource.profiles.errors import ProfileNotFound
from grove_resource.profiles.names import free_name, made_up, name_key, usable
from grove_resource.profiles.repository import ProfileRepository
from grove_resource.profiles.schemas import ProfileReplace

TRIES = 50
"""For a free name: who loses one lost it to somebody who has it now, so that many tries are for many at once."""


class ProfileService:
    """Changes the user's own profile; each change raises the version and tells the outbox. Never commits."""

    def __init__(self, profiles: ProfileRepository, outbox: Outbox) -> None:
        self._profiles = profiles
        self._outbox = outbox

    async def own(self) -> Profile:
        """The profile, locked; it is made for a user of whom auth told nothing yet. Raises ProfileNotFound."""
        return await self._profiles.locked() or await self._made(made_up(self._profiles.user_id), provisional=True)

    async def replace(self, data: ProfileReplace, conditions: Conditions) -> Profile:
        """Set name and bio. Nothing changes, and nothing is told, when they already are so. Raises NameTaken."""
        profile = await self.own()
        conditions.require(etag(profile.user_id, profile.version))
        changed = [field for field in ("bio", "name") if getattr(profile, field) != getattr(data, field)]
        if "name" in changed:
            profile.name, profile.name_key, profile.provisional = data.name, name_key(data.name), False
        profile.bio = data.bio
        return await self._saved(profile, changed)

    async def set_photo(self, photo_key: UUID | None, conditions: Conditions) -> tuple[Profile, UUID | None]:
        """Show another photo, or none. The profile, and the key of the photo that it showed before.

        Who takes it away may name the photo's version instead of the profile's.
        """
        profile = await self.own()
        before = profile.photo_key
        shown = [etag(before, size) for size in SIZES] if before and photo_key is None else []
        _require_one(conditions, etag(profile.user_id, profile.version), shown)
        profile.photo_key = photo_key
        return await self._saved(profile, ["photo"] if before != photo_key else []), before

    async def register(self, name: str) -> None:
        """Give the profile the name of a registration, unless its user chose one before auth's news came."""
        wanted = usable(name, self._profiles.user_id)
        profile = await self._profiles.locked() or await self._made(wanted, provisional=False)
        if not profile.provisional:
            return
        name = wanted
        for _ in range(TRIES):
            if await self._profiles.rename(name):
                profile = await self.own()
                await self._outbox.add((events.updated(profile, ["name"]), profile.version))
                return
            name = await free_name(wanted, self._profiles.taken)
        raise ServiceUnavailable

    async def _made(self, wanted: str, *, provisional: bool) -> Profile:
        if await self._profiles.is_erased():
            raise ProfileNotFound
        name = wanted
        for _ in range(TRIES):
            await self._profiles.insert(name, provisional=provisional)
            profile = await self._profiles.locked()  # made here, or by another request at the same time
            if profile is not None:
                return profile
            name = await free_name(wanted, self._profiles.taken)
        raise ServiceUnavailable

    async def _saved(self, profile: Profile, changed: list[str]) -> Profile:
        if changed:
            profile.version += 1
            profile.updated_at = now()
            await self._profiles.save()
            await self._outbox.add((events.updated(profile, changed), profile.version))
        return profile


def _require_one(conditions: Conditions, current: str, others: list[str]) -> None:
    """Raises PreconditionFailed, with `current`, when `If-Match` names neither that nor one of the others."""
    for tag in others:
        with suppress(PreconditionFailed):
            conditions.require(tag)
            return
    conditions.require(current)
