"""Sends queued mails: several at a time across all workers, each by whoever has its lease."""

import asyncio
from datetime import timedelta

import structlog

from grove.core.clock import now
from grove.core.tasks import finish, side_by_side
from grove.postgres.engine import is_lost, is_unavailable
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending.admission import Admission
from grove_notification.mails.sending.connection import SmtpConnection
from grove_notification.mails.sending.delivery import Delivery
from grove_notification.mails.sending.ending import Ending
from grove_notification.mails.sending.leasing import LeaseLost, Leasing, Untaken
from grove_notification.mails.sending.limits import NoticeLimits
from grove_notification.mails.sending.metrics import MAILS_LATE, MAILS_QUEUED
from grove_notification.mails.sending.recording import Recording
from grove_notification.mails.sending.retries import Retries
from grove_notification.resources import Resources

log = structlog.get_logger()

LOOK_SECONDS = 1.0
LATE = timedelta(minutes=10)
"""How long a mail may be due before operators are told; those that wait for a limit of their recipient are not due."""
FINISH_SECONDS = 10.0
"""How long a mail in hand may still take when the worker ends."""


class MailSender:
    """Sends what is queued, over as many connections as it has senders; the first of several takes no notices.

    A mail is leased before it is handed to the server, and the lease renewed until its outcome is known: no other
    sender takes it meanwhile. Its outcome is written after, and written again while the database is away. None is lost:
    what nobody has in hand any more is tried again. One is sent twice, with the same Message-ID, only when

    - the connection breaks, or the server says nothing for `smtp_data_seconds`, after the final dot and before its
      answer; or
    - between the final dot and the outcome's commit this process dies, or ends and has waited FINISH_SECONDS, or stands
      still or can't reach the database for longer than the lease, while another sender can.
    """

    def __init__(self, resources: Resources) -> None:
        settings = self._settings = resources.settings
        self._sessions = resources.sessions
        self._due = resources.mail_queue.due
        self._delivery = Delivery(settings, resources.mail_cipher)
        retries = Retries(settings.mail_retry_seconds)
        self._recording = Recording(settings.service, resources.sessions, retries)
        limits = NoticeLimits(
            resources.limiter,
            per_second=settings.mail_notices_per_second,
            recipient_per_hour=settings.mail_recipient_per_hour,
        )
        self._admission = Admission(resources.mail_cipher, limits)
        self._leasing = Leasing(resources.sessions, self._admission, Ending(settings.service), retries)
        self._connections = [SmtpConnection(settings) for _ in range(settings.mail_senders)]

    async def run(self) -> None:
        """Send until cancelled."""
        alone = len(self._connections) == 1
        try:
            await side_by_side(
                *(self._send_all(each, notices=i > 0 or alone) for i, each in enumerate(self._connections))
            )
        finally:
            await finish(self.aclose(), FINISH_SECONDS)

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(connection.aclose() for connection in self._connections))

    async def check(self) -> str | None:
        """A health check; also feeds the metrics."""
        async with self._sessions() as session:
            mails, moment = MailRepository(session), now()
            failed = await mails.given_up(moment)
            bounced = await mails.bounced_lately(moment)
            waiting = await mails.waiting(moment)
        MAILS_QUEUED.set(waiting.count)
        MAILS_LATE.set(waiting.late.total_seconds())
        problems = [said] if (said := self._server_away()) else []
        if failed:
            problems.append(f"{failed} mails were given up in a day; see GET /admin/notification/emails?status=failed")
        if bounced:
            problems.append(
                f"{bounced} mails about accounts bounced in a day; see GET /admin/notification/emails?status=bounced"
            )
        if waiting.often_tried:
            problems.append(
                f"{waiting.often_tried} mails were tried several times; see whether the mail server answers"
            )
        if waiting.late > LATE:
            problems.append(
                f"a mail has been due for {waiting.late.total_seconds():.0f} s; see whether senders keep up"
            )
        return "; ".join(problems) or None

    async def send_one(self, connection: SmtpConnection | None = None, *, notices: bool = True) -> bool:
        """Look at one due mail, and try it if it may go; False when none is due, or the server is away."""
        connection = connection or self._connections[0]
        if not await self._reaches(connection):
            return False
        lease = await self._leasing.take(notices=notices)
        if isinstance(lease, Untaken):
            return lease is not Untaken.NONE_DUE
        try:
            async with self._leasing.renewed(lease):
                outcome = await self._delivery.attempt(lease, connection)
        except LeaseLost:
            log.warning("mail.lease_lost", mail_id=str(lease.mail.id))
        else:
            await self._recording.write(lease, outcome)
        return True

    async def _reaches(self, connection: SmtpConnection) -> bool:
        """Whether mails may be taken for it: not after it could not be opened, until it can. Then all go on."""
        if connection.outage is None:
            return True
        if not await connection.reopen():
            return False
        log.info("mail.server_reached")
        for each in self._connections:
            each.end_pause()
        self._due.set()
        return True

    def _server_away(self) -> str | None:
        outages = [each.outage for each in self._connections if each.outage is not None]
        if not outages or any(each.is_open for each in self._connections):
            return None
        first, place = min(each.since for each in outages), f"{self._settings.smtp_host}:{self._settings.smtp_port}"
        return f"the mail server {place} can't be reached since {first:%Y-%m-%d %H:%M:%S} UTC: {outages[0].reason}"

    async def _send_all(self, connection: SmtpConnection, *, notices: bool) -> None:
        while True:
            self._due.clear()
            try:
                while await self._to_its_end(connection, notices=notices):
                    continue
            except Exception as error:  # noqa: BLE001 - whatever it is, others go on
                _explain(error)
            await connection.close_idle()
            paused = self._admission.seconds_paused if notices else 0.0
            try:
                async with asyncio.timeout(min(LOOK_SECONDS, paused) if paused else LOOK_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _to_its_end(self, connection: SmtpConnection, *, notices: bool) -> bool:
        """`send_one`, which is let finish when the worker ends: cut off after the content, a mail would go twice."""
        work = asyncio.create_task(self.send_one(connection, notices=notices))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:

            async def rest() -> None:
                await work

            await finish(rest(), FINISH_SECONDS)
            raise


def _explain(error: Exception) -> None:
    if is_lost(error):
        log.warning("mail.store_unreachable", error=str(error) or type(error).__name__)
    elif is_unavailable(error):
        log.warning("mail.store_busy", error=str(error) or type(error).__name__)
    else:
        log.error("mail.sender_failed", exc_info=error)
