"""Writing down what became of a mail in hand, for as long as it is in hand."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.contracts.notification import EmailFailed, EmailSent
from grove.core.clock import now
from grove.outbox.postgres import Outbox
from grove.postgres.engine import is_unavailable
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending.delivery import Outcome
from grove_notification.mails.sending.leasing import Lease
from grove_notification.mails.sending.metrics import MAIL_SECONDS, MAILS
from grove_notification.models import Mail
from grove_notification.settings import NotificationSettings

log = structlog.get_logger()

JITTER = 0.2
"""By which part a pause is longer or shorter, so that mails that failed together don't come back together."""
WRITE_SECONDS = 10.0
"""How long one try to write may take."""
PAUSE_SECONDS = 0.5


class Recording:
    """Writes outcomes, each in a transaction that still holds the lease. Without the lease nothing is written: the mail
    is somebody else's by then, or gone with its account.
    """

    def __init__(self, settings: NotificationSettings, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._settings = settings
        self._sessions = sessions

    async def write(self, lease: Lease, outcome: Outcome) -> None:
        """Write it, as often as it takes while the lease lasts; never fails."""
        mail_id, plainly = str(lease.mail.id), False
        while (left := lease.seconds_left) > 0:
            try:
                async with asyncio.timeout(min(left, WRITE_SECONDS)):
                    await (self._write_plainly if plainly else self._write)(lease, outcome)
            except Exception as error:
                if is_unavailable(error):
                    log.warning("mail.outcome_waits", mail_id=mail_id, outcome=outcome.status, error=str(error))
                    await asyncio.sleep(min(left, PAUSE_SECONDS))
                    continue
                log.error("mail.outcome_refused", mail_id=mail_id, outcome=outcome.status, exc_info=error)
                if plainly:
                    return
                plainly = True
            else:
                return
        log.error("mail.outcome_lost", mail_id=mail_id, outcome=outcome.status)

    async def _write(self, lease: Lease, outcome: Outcome) -> None:
        moment = now()
        async with self._sessions.begin() as session:
            mail = await MailRepository(session).leased(lease.mail.id, lease.until)
            if mail is None:
                return
            mail.leased_until = None
            if mail.status != "queued" and outcome.status != "sent":
                return  # its reader wants it no more
            mail.attempts += 1
            for name, value in self._values(mail.attempts, outcome, moment).items():
                setattr(mail, name, value)
            await self._tell(session, mail, moment)
        _show(mail, moment)

    async def _write_plainly(self, lease: Lease, outcome: Outcome) -> None:
        """What the whole of it can't be written of: the row alone, and nothing that a server said."""
        attempts = lease.mail.attempts + 1
        reason = None if outcome.status == "sent" else "the reason can't be written down"
        values = self._values(attempts, Outcome(outcome.status, reason), now())
        async with self._sessions.begin() as session:
            await MailRepository(session).put_off(lease.mail.id, attempts=attempts, **values)

    def _values(self, attempts: int, outcome: Outcome, moment: datetime) -> dict[str, Any]:
        """The columns after a try."""
        if outcome.status == "sent":
            return {"status": "sent", "sent_at": moment, "sealed": None, "last_error": None}
        pauses = self._settings.mail_retry_seconds
        if outcome.status == "queued" and attempts <= len(pauses):
            seconds = pauses[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - timing, no secret
            return {"due_at": moment + timedelta(seconds=seconds), "last_error": outcome.reason}
        status = "failed" if outcome.status == "queued" else outcome.status
        bounced = {"bounced_at": moment} if status == "bounced" else {}
        return {"status": status, "last_error": outcome.reason, **bounced}

    async def _tell(self, session: AsyncSession, mail: Mail, moment: datetime) -> None:
        """Other services, once it is through: sent, or waiting for an operator who can have it sent again."""
        outbox = Outbox(session, self._settings.service)
        if mail.status == "sent":
            sent = EmailSent(mail_id=mail.id, template=mail.template, attempts=mail.attempts, sent_at=moment)
            await outbox.add((sent, mail.attempts))
        elif mail.status != "queued":
            reason = mail.last_error or ""
            failed = EmailFailed(
                mail_id=mail.id, template=mail.template, attempts=mail.attempts, reason=reason, failed_at=moment
            )
            await outbox.add((failed, mail.attempts))


def _show(mail: Mail, moment: datetime) -> None:
    """In metrics and the log."""
    names = {"mail_id": str(mail.id), "template": mail.template}
    MAILS.labels(mail.kind, "delayed" if mail.status == "queued" else mail.status).inc()
    if mail.status == "queued":
        log.warning("mail.delayed", **names, reason=mail.last_error, due_at=mail.due_at.isoformat())
    elif mail.status == "sent":
        MAIL_SECONDS.labels(mail.kind).observe((moment - mail.created_at).total_seconds())
        log.info("mail.sent", **names)
    else:
        log.error("mail.given_up", **names, status=mail.status, reason=mail.last_error)
