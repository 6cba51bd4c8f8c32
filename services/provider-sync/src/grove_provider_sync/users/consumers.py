"""auth's facts about accounts → the users table."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import UserDeleted, UserRegistered, UserUpdated
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove_provider_sync.connections.repository import ConnectionRepository
from grove_provider_sync.connections.service import revoke
from grove_provider_sync.resources import Resources
from grove_provider_sync.users.erasure import ERASURE
from grove_provider_sync.users.repository import UserRepository


async def on_registered(session: AsyncSession, event: Received[UserRegistered]) -> None:
    """An account exists from now on."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store(
        data.user_id, name=data.name, locale=data.locale, timezone=data.timezone, sequence=event.sequence
    )


async def on_updated(session: AsyncSession, event: Received[UserUpdated]) -> None:
    """An account's locale or timezone changed; it may be known here only now, when this event overtook the first."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store(
        data.user_id, name=None, locale=data.locale, timezone=data.timezone, sequence=event.sequence
    )


async def on_deleted(resources: Resources, session: AsyncSession, event: Received[UserDeleted]) -> None:
    """An account is gone: its connections too, and their tokens wait to be given back."""
    for connection in await ConnectionRepository(session).locked_of_user(event.data.user_id):
        await revoke(session, resources, connection, erases=True)
    await ERASURE.on_deleted(session, event)
