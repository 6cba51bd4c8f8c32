"""Sends queued mails: several at a time across all workers, each claimed by its row's lock."""

import asyncio
import json
from datetime import timedelta

import aiosmtplib
import structlog

from grove.contracts.notification import EmailFailed, EmailSent
from grove.core.clock import now
from grove.core.tasks import side_by_side
from grove.outbox.postgres import Outbox
from grove.postgres.engine import STORE_ERRORS
from grove.security.encryption import DecryptionFailed
from grove_notification.mails.rendering import render
from grove_notification.mails.repository import MailRepository
from grove_notification.models import Mail
from grove_notification.resources import Resources

log = structlog.get_logger()

SENDERS = 4
LOOK_SECONDS = 1.0
SMTP_SECONDS = 20


class MailSender:
    """Sends what is queued.

    A mail is marked as sent in the transaction that holds its row, so none is lost; one is sent twice only when
    the process or the connection dies between the server's yes and the commit, and then under the same Message-ID.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._due = resources.mail_queue.due

    async def run(self) -> None:
        """Send until cancelled."""
        await side_by_side(*(self._send_all() for _ in range(SENDERS)))

    async def check(self) -> str | None:
        """A health check."""
        async with self._resources.sessions() as session:
            failed = await MailRepository(session).count("failed")
        return f"{failed} mails were given up" if failed else None

    async def send_one(self) -> bool:
        """Send one due mail; False when none is due."""
        async with self._resources.sessions.begin() as session:
            mail = await MailRepository(session).claim_due(now())
            if mail is None:
                return False
            mail.attempts += 1
            outbox = Outbox(session, self._settings.service)
            try:
                await self._transmit(mail)
            except (aiosmtplib.SMTPException, OSError, TimeoutError, DecryptionFailed) as error:
                await self._failed(mail, outbox, error)
            else:
                mail.status, mail.sent_at, mail.sealed, mail.last_error = "sent", now(), None, None
                await outbox.add(
                    (
                        EmailSent(
                            mail_id=mail.id,
                            template=mail.template,
                            attempts=mail.attempts,
                            sent_at=mail.sent_at,
                        ),
                        mail.attempts,
                    )
                )
                log.info("mail.sent", mail_id=str(mail.id), template=mail.template)
            return True

    async def _send_all(self) -> None:
        while True:
            self._due.clear()
            try:
                while await self.send_one():
                    continue
            except STORE_ERRORS as error:
                log.warning("mail.store_unreachable", error=str(error) or type(error).__name__)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def _transmit(self, mail: Mail) -> None:
        settings = self._settings
        content = json.loads(self._resources.mail_cipher.open(mail.sealed or "", purpose=f"mail:{mail.id}"))
        message = render(
            mail.template,
            mail_id=mail.id,
            locale=mail.locale,
            sender=settings.mail_from,
            to=content["to"],
            link_base_url=settings.link_base_url,
            variables=content["variables"],
        )
        await aiosmtplib.send(
            message,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            username=settings.smtp_user or None,
            password=settings.secrets.read("smtp_password") if settings.smtp_user else None,
            timeout=SMTP_SECONDS,
        )

    async def _failed(self, mail: Mail, outbox: Outbox, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"[:500]
        mail.last_error = reason
        pauses = self._settings.mail_retry_seconds
        permanent = isinstance(error, DecryptionFailed | aiosmtplib.SMTPRecipientsRefused) or (
            isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 500
        )
        if mail.attempts <= len(pauses) and not permanent:
            mail.due_at = now() + timedelta(seconds=pauses[mail.attempts - 1])
            log.warning("mail.delayed", mail_id=str(mail.id), reason=reason, seconds=pauses[mail.attempts - 1])
            return
        mail.status = "failed"
        log.error("mail.failed", mail_id=str(mail.id), template=mail.template, reason=reason)
        failed = EmailFailed(
            mail_id=mail.id, template=mail.template, attempts=mail.attempts, reason=reason, failed_at=now()
        )
        await outbox.add((failed, mail.attempts))
