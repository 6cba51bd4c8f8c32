"""auth.mail.requested → a queued mail."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import MailRequested
from grove.messaging.handlers import Received
from grove_notification.mails.queue import MailQueue


async def on_mail_requested(mails: MailQueue, session: AsyncSession, event: Received[MailRequested]) -> None:
    """Queue the mail; it stays sealed until it is sent."""
    data = event.data
    await mails.add_sealed(
        session, data.mail_id, data.template, user_id=data.user_id, locale=data.locale, sealed=data.sealed
    )
    event.after_commit.append(mails.wake)
