"""Writing down what became of a mail in hand, for as long as it is in hand."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.outbox.postgres import Outbox
from grove.postgres.engine import is_unavailable
from grove_notification.mails.events import tell_end
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending.delivery import Outcome
from grove_notification.mails.sending.leasing import Lease
from grove_notification.mails.sending.metrics import MAIL_SECONDS, MAILS
from grove_notification.mails.sending.retries import Retries
from grove_notification.models import Mail

log = structlog.get_logger()

Write = Callable[[Lease, Outcome], Awaitable[bool]]

WRITE_SECONDS = 10.0
"""How long one try to write may take."""
PAUSE_SECONDS = 0.5
GIVEN_BACK = timedelta(seconds=1)
"""After which a mail that was not tried is due again."""


class Recording:
    """Writes outcomes, each in a transaction that still holds the lease. Without the lease nothing is written: the mail
    is somebody else's by then, or gone with its account.
    """

    def __init__(self, service: str, sessions: async_sessionmaker[AsyncSession], retries: Retries) -> None:
        self._service = service
        self._sessions = sessions
        self._retries = retries

    async def write(self, lease: Lease, outcome: Outcome) -> None:
        """Write it, as often as it takes while the database is away: nobody else can take the mail then, and who did
        is found. Never fails.
        """
        mail_id = str(lease.mail.id)
        plain = Outcome(outcome.status, None if outcome.status == "sent" else "the reason can't be written down")
        for write, what in ((self._write, outcome), (self._write, plain), (self._write_plainly, plain)):
            try:
                if not await self._until_written(write, lease, what):
                    log.warning("mail.outcome_lost", mail_id=mail_id, outcome=outcome.status)
            except Exception as error:  # other mails go on; this one comes back when its lease is over
                log.error("mail.outcome_refused", mail_id=mail_id, outcome=outcome.status, exc_info=error)
            else:
                return

    async def _until_written(self, write: Write, lease: Lease, outcome: Outcome) -> bool:
        """False when the lease is lost. Raises what says that the database refuses it."""
        while True:
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    return await write(lease, outcome)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("mail.outcome_waits", mail_id=str(lease.mail.id), outcome=outcome.status, error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _write(self, lease: Lease, outcome: Outcome) -> bool:
        moment = now()
        async with self._sessions.begin() as session:
            mail = await MailRepository(session).held(lease.mail.id, lease.ends)
            if mail is None:
                return False
            mail.leased_until = None
            if mail.status != "queued" and outcome.status != "sent":
                return True  # its reader wants it no more
            for name, value in self._values(mail.attempts, outcome, moment).items():
                setattr(mail, name, value)
            if mail.status != "queued":
                await tell_end(Outbox(session, self._service), mail, moment)
        if outcome.status != "untried":
            _show(mail, moment)
        return True

    async def _write_plainly(self, lease: Lease, outcome: Outcome) -> bool:
        """What the whole of it can't be written of: the row alone, of which nobody is told."""
        values = self._values(lease.mail.attempts, outcome, now())
        async with self._sessions.begin() as session:
            return await MailRepository(session).end_plainly(lease.mail.id, lease.ends, **values)

    def _values(self, attempts: int, outcome: Outcome, moment: datetime) -> dict[str, Any]:
        """The columns after a try; `attempts`: before it."""
        if outcome.status == "untried":
            return {"due_at": moment + GIVEN_BACK}
        tried: dict[str, Any] = {"attempts": attempts + 1, "last_error": outcome.reason}
        if outcome.status == "sent":
            return tried | {"status": "sent", "sent_at": moment, "sealed": None}
        if outcome.status == "bounced":
            return tried | {"status": "bounced", "bounced_at": moment}
        if outcome.status == "queued" and (pause := self._retries.pause_after(attempts + 1)) is not None:
            return tried | {"due_at": moment + pause}
        return tried | {"status": "failed", "failed_at": moment}


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
