"""auth's facts about accounts → the users table and the names of profiles."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import UserDeleted, UserEmailChanged, UserRegistered, UserUpdated
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove_resource.profiles import consumers as profiles
from grove_resource.resources import Resources
from grove_resource.users.erasure import ERASURE
from grove_resource.users.repository import UserRepository


async def on_registered(resources: Resources, session: AsyncSession, event: Received[UserRegistered]) -> None:
    """An account exists from now on, under a verified address; its profile has a name."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store(
        data.user_id, email=data.email, locale=data.locale, timezone=data.timezone, sequence=event.sequence
    )
    await profiles.on_registered(resources, session, event)


async def on_updated(session: AsyncSession, event: Received[UserUpdated]) -> None:
    """An account's locale or timezone changed; it may be known here only now, when this event overtook the first."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store(
        data.user_id, email=None, locale=data.locale, timezone=data.timezone, sequence=event.sequence
    )


async def on_email_changed(session: AsyncSession, event: Received[UserEmailChanged]) -> None:
    """An account's address is another one; the account may be known here only later, when this overtook the first."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store_email(data.user_id, data.email, sequence=event.sequence)


async def on_deleted(resources: Resources, session: AsyncSession, event: Received[UserDeleted]) -> None:
    """An account is gone, and what is here of it; once that is safe, what the database does not hold of it."""
    await profiles.before_erasure(resources, session, event)
    await ERASURE.on_deleted(session, event)
