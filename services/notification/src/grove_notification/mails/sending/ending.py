"""How mails end that are not tried any more: in their row, in metrics and the log, and told to others."""

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.outbox.postgres import Outbox
from grove_notification.mails.events import tell_end
from grove_notification.mails.sending.metrics import MAILS
from grove_notification.models import Mail

log = structlog.get_logger()


class Ending:
    """Ends mails whose rows the session has locked. `service`: of the events."""

    def __init__(self, service: str) -> None:
        self._service = service

    async def failed(self, session: AsyncSession, mail: Mail, why: str) -> None:
        """It is given up; an operator can have it sent again."""
        mail.failed_at = now()
        await self._end(session, mail, "failed", why)
        log.error("mail.given_up", mail_id=str(mail.id), template=mail.template, status="failed", reason=why)

    async def expired(self, session: AsyncSession, mail: Mail) -> None:
        """What it says does not hold any more; nobody can have it sent again."""
        mail.sealed = None
        why = f"it was not sent before it expired, on {mail.expires_at:%Y-%m-%d %H:%M} UTC"
        await self._end(session, mail, "expired", why)
        log.warning("mail.expired", mail_id=str(mail.id), template=mail.template)

    async def _end(self, session: AsyncSession, mail: Mail, status: str, why: str) -> None:
        mail.status, mail.last_error = status, why
        await tell_end(Outbox(session, self._service), mail, now())
        MAILS.labels(mail.kind, status).inc()
