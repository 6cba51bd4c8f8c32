"""auth's facts about accounts → the users table."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import UserDeleted, UserRegistered, UserUpdated
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove_provider_sync.connections.repository import ConnectionRepository
from grove_provider_sync.connections.service import revoke
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens.revoking import await_all
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
    """An account is gone: its connections too. Auth is told once their tokens are given back; at once without any."""
    user_id = event.data.user_id
    connections = await ConnectionRepository(session).locked_of_user(user_id)
    waits = [await await_all(session, user_id)]
    waits += [await revoke(session, resources, connection, erases=True) for connection in connections]
    await ERASURE.erase(session, user_id)
    if not any(waits):
        await ERASURE.tell(session, user_id)
