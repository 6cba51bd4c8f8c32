"""auth's facts about accounts → the users table."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import UserEmailChanged, UserRegistered, UserUpdated
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove_resource.users.repository import UserRepository


async def on_registered(session: AsyncSession, event: Received[UserRegistered]) -> None:
    """An account exists from now on."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store(
        data.user_id, email=data.email, locale=data.locale, timezone=data.timezone, sequence=event.sequence
    )


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
