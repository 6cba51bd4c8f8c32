"""Taking a mail in hand: which one, whether it may go now, and for how long it is nobody else's."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.postgres.engine import is_unavailable
from grove_notification.mails.repository import NOTICE, MailRepository
from grove_notification.mails.sending.admission import Admission
from grove_notification.mails.sending.connection import DELIVERY_SECONDS
from grove_notification.models import Mail

log = structlog.get_logger()

LEASE_SECONDS = 90.0
"""How long a mail is its sender's: as long as a delivery may take, and then some for a database that is away."""
PUT_OFF = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Lease:
    """A mail in hand, as it was when it was taken. `address`: a notice's. `ends_at`: by this process's own clock, which
    started before the database's: in doubt it ends early.
    """

    mail: Mail
    address: str | None
    until: datetime
    ends_at: float

    @property
    def seconds_left(self) -> float:
        """How long it still lasts."""
        return self.ends_at - time.monotonic()


class Leasing:
    """Hands out leases. `retries`: how often a mail is tried again."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], admission: Admission, *, retries: int) -> None:
        self._sessions = sessions
        self._admission = admission
        self._retries = retries

    async def take(self, *, notices: bool) -> tuple[bool, Lease | None]:
        """Whether a mail was due, and the lease of it if it may go now and there is time enough to send it."""
        claimed: tuple[UUID, int] | None = None
        started = time.monotonic()
        try:
            async with self._sessions.begin() as session:
                mails = MailRepository(session)
                mail = await mails.claim_due(now(), notices=notices and not self._admission.seconds_paused)
                if mail is None:
                    return False, None
                claimed = mail.id, mail.attempts + 1
                address = await self._admission.address_of(session, mail) if mail.kind == NOTICE else None
                if mail.kind == NOTICE and address is None:
                    return True, None
                until = await mails.lease(mail.id, LEASE_SECONDS)
        except Exception as error:
            if claimed is None or is_unavailable(error):
                raise
            await self._put_off(*claimed, error)
            return True, None
        lease = Lease(mail, address, until, started + LEASE_SECONDS)
        return True, lease if lease.seconds_left > DELIVERY_SECONDS else None

    async def _put_off(self, mail_id: UUID, attempts: int, error: Exception) -> None:
        """It can't be taken in hand, whatever is wrong with it: others go on, and it comes back as after a try."""
        log.error("mail.put_off", mail_id=str(mail_id), exc_info=error)
        async with self._sessions.begin() as session:
            await MailRepository(session).put_off(
                mail_id,
                attempts=attempts,
                status="failed" if attempts > self._retries else "queued",
                due_at=now() + PUT_OFF,
                last_error=f"it can't be taken in hand: {type(error).__name__}",
            )
