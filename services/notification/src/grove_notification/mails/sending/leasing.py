"""Taking a mail in hand: which one, whether it may go now, and keeping it from others while it is on its way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from grove.core.clock import now
from grove.core.tasks import end
from grove.postgres.engine import is_unavailable
from grove_notification.mails.repository import NOTICES, MailRepository
from grove_notification.mails.sending.admission import Admission
from grove_notification.mails.sending.ending import Ending
from grove_notification.mails.sending.retries import Retries
from grove_notification.models import Mail

log = structlog.get_logger()

LEASE_SECONDS = 30.0
"""How long a mail is its sender's, if the lease is not renewed: others have it so long after a worker was killed."""
RENEW_SECONDS = 10.0
AGAIN_SECONDS = 1.0
"""After which a renewal that failed is tried again."""
ANSWER_SECONDS = 5.0
"""How long the database may take for a renewal."""
PUT_OFF = timedelta(minutes=5)
DIED = "its sender died, or could not reach the database, while it had it in hand"


class LeaseLost(Exception):
    """The mail is another sender's, or gone with its account."""


class Untaken(Enum):
    """Why no mail was taken in hand: none is due; one may not go, now or ever; one can't be taken, and was put off."""

    NONE_DUE = auto()
    NOT_NOW = auto()
    PUT_OFF = auto()


@dataclass(slots=True, eq=False)
class Lease:
    """A mail in hand, as it was when it was taken. `address`: a notice's.

    `ends`: what its row may say, the newest last: a renewal whose answer was lost may have been written. `asked_at`:
    when the newest was asked for, and `ends_at`, when the lease is over for sure, by this process's own clock, which
    was read before the database's: in doubt it ends early.
    """

    mail: Mail
    address: str | None
    ends: list[datetime]
    asked_at: float
    ends_at: float
    handed_over: bool = False

    def hand_over(self) -> None:
        """The content goes to the server now, and its answer must be waited for. Raises LeaseLost."""
        if time.monotonic() >= self.ends_at:
            raise LeaseLost
        self.handed_over = True

    def extend(self) -> datetime:
        """When it ends if it is renewed now, by the database's clock."""
        moment = time.monotonic()
        self.ends.append(self.ends[-1] + timedelta(seconds=moment - self.asked_at))
        self.asked_at = moment
        return self.ends[-1]

    def renewed(self) -> None:
        """What was asked for last was written."""
        del self.ends[:-1]
        self.ends_at = self.asked_at + LEASE_SECONDS


class Leasing:
    """Hands out leases, and keeps them."""

    def __init__(
        self, sessions: async_sessionmaker[AsyncSession], admission: Admission, ending: Ending, retries: Retries
    ) -> None:
        self._sessions = sessions
        self._admission = admission
        self._ending = ending
        self._retries = retries

    async def take(self, *, notices: bool) -> Lease | Untaken:
        """The lease of a mail that is due and may go now."""
        seen: tuple[UUID, int, datetime | None] | None = None
        asked_at = time.monotonic()
        try:
            async with self._sessions.begin() as session:
                mails = MailRepository(session)
                mail = await mails.claim_due(now(), notices=notices and not self._admission.seconds_paused)
                if mail is None:
                    return Untaken.NONE_DUE
                seen = mail.id, mail.attempts, mail.leased_until
                if not await self._may_be_tried(session, mail):
                    return Untaken.NOT_NOW
                address = await self._admission.admit(session, mail) if mail.kind in NOTICES else None
                if mail.kind in NOTICES and address is None:
                    return Untaken.NOT_NOW
                until = await mails.lease(mail.id, LEASE_SECONDS)
        except Exception as error:
            if seen is None or is_unavailable(error):
                raise
            await self._put_off(*seen, error)
            return Untaken.PUT_OFF
        return Lease(mail, address, [until], asked_at, asked_at + LEASE_SECONDS)

    @asynccontextmanager
    async def renewed(self, lease: Lease) -> AsyncIterator[None]:
        """Kept while the block runs; a block whose lease is lost is ended, unless the mail was handed over already.
        Raises LeaseLost.
        """
        work = asyncio.current_task()
        lost = False

        async def keep() -> None:
            nonlocal lost
            pause = RENEW_SECONDS
            while not lost:
                await asyncio.sleep(pause)
                try:
                    lost, pause = not await self._renew(lease), RENEW_SECONDS
                except Exception as error:  # noqa: BLE001 - whoever hands over and writes asks whether it is still ours
                    log.warning("mail.lease_not_renewed", mail_id=str(lease.mail.id), error=str(error))
                    pause = AGAIN_SECONDS
            if work is not None and not lease.handed_over:
                work.cancel()

        keeping = asyncio.create_task(keep())
        try:
            yield
        except asyncio.CancelledError:
            if lost and work is not None and work.uncancel() == 0:
                raise LeaseLost from None
            raise
        finally:
            await end(keeping)

    async def _may_be_tried(self, session: AsyncSession, mail: Mail) -> bool:
        """Not what is of no use any more, nor what was in hand too often when its sender died: that counts as a try,
        or a mail that kills its sender would come back for ever. The first time it may be chance, and it goes at once.
        """
        died = mail.leased_until is not None
        if died:
            mail.attempts += 1
            mail.leased_until, mail.last_error = None, DIED
        if mail.expires_at is not None and mail.expires_at <= now():
            await self._ending.expired(session, mail)
            return False
        if died:
            pause = self._retries.pause_after(mail.attempts)
            if pause is None:
                await self._ending.failed(session, mail, DIED)
                return False
            if mail.attempts > 1:
                mail.due_at = now() + pause
                return False
        await session.flush()  # before its new lease is written
        return True

    async def _renew(self, lease: Lease) -> bool:
        """Whether it is still ours."""
        async with asyncio.timeout(ANSWER_SECONDS), self._sessions.begin() as session:
            known = list(lease.ends)
            held = await MailRepository(session).renew(lease.mail.id, known, lease.extend())
        if held:
            lease.renewed()
        return held

    async def _put_off(self, mail_id: UUID, attempts: int, leased_until: datetime | None, error: Exception) -> None:
        """It can't be taken in hand, whatever is wrong with it: others go on, and it comes back as after a try."""
        log.error("mail.put_off", mail_id=str(mail_id), exc_info=error)
        reason = f"it can't be taken in hand: {type(error).__name__}"
        async with self._sessions.begin() as session:
            mail = await MailRepository(session).held(mail_id, [leased_until])
            if mail is None or (mail.status, mail.attempts) != ("queued", attempts):
                return  # another one found the same meanwhile
            mail.attempts += 1
            mail.leased_until = None
            if self._retries.pause_after(mail.attempts) is None:
                await self._ending.failed(session, mail, reason)
            else:
                mail.due_at, mail.last_error = now() + PUT_OFF, reason
