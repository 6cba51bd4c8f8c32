"""auth's facts about accounts → the users table, a welcome and a first notification."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import UserBlocked, UserEmailChanged, UserRegistered, UserUnblocked, UserUpdated, UserVerified
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove_notification.mails.queue import Letter, MailQueue
from grove_notification.notifications.tell import Teller
from grove_notification.preferences.repository import PreferencesRepository
from grove_notification.preferences.service import follow_clock
from grove_notification.users.repository import UserRepository
from grove_notification.webhooks.deliveries.queue import WebhookQueue


async def on_registered(
    teller: Teller, mails: MailQueue, session: AsyncSession, event: Received[UserRegistered]
) -> None:
    """An account exists from now on: remember whom to write to, and welcome them unless they come otherwise."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store(
        data.user_id,
        email=data.email,
        locale=data.locale,
        timezone=data.timezone,
        sequence=event.sequence,
    )
    await mails.adopt(session, data.user_id, data.email)
    if not data.greet:
        return
    letter = Letter(
        template="welcome",
        to=data.email,
        user_id=data.user_id,
        locale=data.locale,
        variables={"name": data.name},
    )
    await mails.add(session, letter)
    event.after_commit.append(mails.wake)
    await teller.tell(session, event, data.user_id)


async def on_verified(_: AsyncSession, __: Received[UserVerified]) -> None:
    """Nothing to do: an account is registered here by being verified. It is in the catalogue as this service's, and
    nothing that comes may be without a handler.
    """


async def on_updated(teller: Teller, session: AsyncSession, event: Received[UserUpdated]) -> None:
    """An account's locale or timezone changed; it may be known here only now, when this event overtook the first."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    preferences = PreferencesRepository(session, data.user_id)
    before = await preferences.timezone()
    await UserRepository(session).store(
        data.user_id,
        email=None,
        locale=data.locale,
        timezone=data.timezone,
        sequence=event.sequence,
    )
    after = await preferences.timezone()
    if after != before:
        await follow_clock(preferences, before=before, after=after)
    await teller.tell_webhooks(session, event, data.user_id)


async def on_email_changed(teller: Teller, session: AsyncSession, event: Received[UserEmailChanged]) -> None:
    """An account's address is another one; the account may be known here only later, when this overtook the first."""
    data = event.data
    if await is_erased(session, data.user_id):
        return
    await UserRepository(session).store_email(data.user_id, data.email, sequence=event.sequence)
    await teller.tell(session, event, data.user_id)


async def on_blocked(teller: Teller, session: AsyncSession, event: Received[UserBlocked]) -> None:
    """Nothing leaves for the account from now on. Webhooks get the fact itself with what waits, after its end."""
    await teller.tell_webhooks(session, event, event.data.user_id)
    await _store_blocked(session, event, blocked=True)


async def on_unblocked(
    teller: Teller, webhooks: WebhookQueue, session: AsyncSession, event: Received[UserUnblocked]
) -> None:
    """What waited goes on."""
    await _store_blocked(session, event, blocked=False)
    await teller.tell_webhooks(session, event, event.data.user_id)
    event.after_commit.append(webhooks.wake)


async def _store_blocked(
    session: AsyncSession, event: Received[UserBlocked] | Received[UserUnblocked], *, blocked: bool
) -> None:
    if not await is_erased(session, event.data.user_id):
        await UserRepository(session).store_blocked(event.data.user_id, blocked=blocked, sequence=event.sequence)
