"""auth's facts about accounts → profiles."""

from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import UserDeleted, UserRegistered
from grove.messaging.handlers import Received
from grove.outbox.postgres import Outbox
from grove_resource.profiles.photos import remove
from grove_resource.profiles.repository import ProfileRepository
from grove_resource.profiles.service import ProfileService
from grove_resource.resources import Resources
from grove_resource.settings import ResourceSettings


async def on_registered(resources: Resources, session: AsyncSession, event: Received[UserRegistered]) -> None:
    """An account exists: its profile has the name it registered with, or that name with a number."""
    data = event.data
    profiles = ProfileService(ProfileRepository(session, data.user_id), Outbox(session, ResourceSettings.service))
    await profiles.register(data.name)
    event.after_commit.append(partial(resources.profile_cache.forget, data.user_id))


async def before_erasure(resources: Resources, session: AsyncSession, event: Received[UserDeleted]) -> None:
    """An account goes: once its row is gone for good, so are the photo's files and the kept answer."""
    user_id = event.data.user_id
    profile = await ProfileRepository(session, user_id).locked()
    event.after_commit.append(partial(resources.profile_cache.forget, user_id))
    if profile is not None and profile.photo_key is not None:
        event.after_commit.append(partial(remove, resources.files, profile.photo_key))
