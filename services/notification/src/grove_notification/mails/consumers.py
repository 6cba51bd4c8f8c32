"""auth.mail.requested → a queued mail."""

from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import MailRequested
from grove.messaging.handlers import Received
from grove.service.erasure import is_erased
from grove_notification.mails.queue import MailQueue


async def on_mail_requested(mails: MailQueue, session: AsyncSession, event: Received[MailRequested]) -> None:
    """Queue the mail; it stays sealed until it is sent. One to an account that is erased is passed over: the goodbye
    to it is nobody's.
    """
    if event.data.user_id is not None and await is_erased(session, event.data.user_id):
        return
    await mails.add_sealed(session, event.data)
    event.after_commit.append(mails.wake)
