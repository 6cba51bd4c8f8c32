"""Sends queued mails: several at a time across all workers, each claimed by its row's lock."""

import asyncio
import time
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.tasks import finish, side_by_side
from grove.postgres.engine import STORE_ERRORS
from grove_notification.mails.connection import SmtpConnection
from grove_notification.mails.delivery import Delivery
from grove_notification.mails.limits import NoticeLimits
from grove_notification.mails.metrics import MAILS, MAILS_LATE, MAILS_QUEUED
from grove_notification.mails.repository import NOTICE, MailRepository
from grove_notification.models import Mail
from grove_notification.resources import Resources

log = structlog.get_logger()

SENDERS = 4
LOOK_SECONDS = 1.0
LATE = timedelta(minutes=10)
"""How long a mail may be due before operators are told; those that wait for a limit of their recipient are not due."""
FINISH_SECONDS = 10.0
"""How long a mail in hand may still take when the worker ends."""


class MailSender:
    """Sends what is queued, over as many connections as it has senders; the first of them takes no notices.

    A mail is marked as sent in the transaction that holds its row, so none is lost. One is sent twice only when the
    connection breaks between the end of the content and the server's word of it, or this process or its database dies
    before that is written down; and then under the same Message-ID.
    """

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings
        self._resources = resources
        self._due = resources.mail_queue.due
        self._delivery = Delivery(settings, resources.mail_cipher)
        self._limits = NoticeLimits(
            resources.limiter,
            per_second=settings.mail_notices_per_second,
            recipient_per_hour=settings.mail_recipient_per_hour,
        )
        self._notices_from = 0.0
        self._in_hand: set[UUID] = set()
        """Who loses the database loses the row's lock: no other sender of this process takes the mail meanwhile."""
        self._connections = [SmtpConnection(settings) for _ in range(SENDERS)]

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            await side_by_side(*(self._send_all(each, notices=i > 0) for i, each in enumerate(self._connections)))
        finally:
            await finish(self.aclose(), FINISH_SECONDS)

    async def aclose(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(connection.aclose() for connection in self._connections))

    async def check(self) -> str | None:
        """A health check; also feeds the metrics."""
        async with self._resources.sessions() as session:
            mails = MailRepository(session)
            failed = await mails.count("failed")
            waiting = await mails.waiting(now())
        MAILS_QUEUED.set(waiting.count)
        MAILS_LATE.set(waiting.late.total_seconds())
        problems = []
        if failed:
            problems.append(f"{failed} mails were given up; see GET /admin/notification/emails?status=failed")
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
        """Try one due mail; False when none is due."""
        async with self._resources.sessions.begin() as session:
            notices = notices and time.monotonic() >= self._notices_from
            mail = await MailRepository(session).claim_due(now(), notices=notices, besides=self._in_hand)
            if mail is None:
                return False
            self._in_hand.add(mail.id)
            try:
                if await self._may_go(session, mail):
                    await self._delivery.attempt(session, mail, connection or self._connections[0])
            finally:
                self._in_hand.discard(mail.id)
        self._delivery.recorded(mail.id)
        return True

    async def _send_all(self, connection: SmtpConnection, *, notices: bool) -> None:
        while True:
            self._due.clear()
            try:
                while await self._to_its_end(connection, notices=notices):
                    continue
            except STORE_ERRORS as error:
                log.warning("mail.store_unreachable", error=str(error) or type(error).__name__)
            await connection.close_idle()
            limited = self._notices_from - time.monotonic() if notices else 0.0
            try:
                async with asyncio.timeout(min(LOOK_SECONDS, limited) if limited > 0 else LOOK_SECONDS):
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

    async def _may_go(self, session: AsyncSession, mail: Mail) -> bool:
        """A notice does not go to an address that bounced, and waits for its limits."""
        if mail.kind != NOTICE or mail.address_mac is None:
            return True
        mails = MailRepository(session)
        bounced = None if mail.resent_at else await mails.bounced_at(mail.address_mac)
        if bounced is not None:
            self._delivery.suppress(mail, bounced)
            return False
        seconds = await self._limits.seconds_for_all()
        if seconds:
            self._notices_from = time.monotonic() + seconds
            return False
        seconds = await self._limits.seconds_for(mail.address_mac)
        if not seconds:
            return True
        moment = now() + timedelta(seconds=seconds)
        mail.due_at = moment
        await session.flush()
        others = await mails.postpone_notices(mail.address_mac, moment)
        MAILS.labels(mail.kind, "limited").inc(1 + others)
        return False
