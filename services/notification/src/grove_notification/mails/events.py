"""A mail's end → the contract's event."""

from datetime import datetime

from grove.contracts.notification import EmailFailed, EmailSent
from grove.outbox.postgres import Outbox
from grove_notification.models import Mail


async def tell_end(outbox: Outbox, mail: Mail, moment: datetime) -> None:
    """Tell that it was sent, or will not arrive: each end once, numbered under the lock of its row.

    Of a suppressed one nothing is told: nobody failed, and nobody is waited for.
    """
    mail.sequence += 1
    if mail.status == "sent":
        sent = EmailSent(mail_id=mail.id, template=mail.template, attempts=mail.attempts, sent_at=moment)
        await outbox.add((sent, mail.sequence))
    else:
        reason = mail.last_error or ""
        failed = EmailFailed(
            mail_id=mail.id, template=mail.template, attempts=mail.attempts, reason=reason, failed_at=moment
        )
        await outbox.add((failed, mail.sequence))
