"""A connection to the mail server that is kept open between mails."""

import asyncio
import time
from contextlib import suppress
from email.message import EmailMessage
from email.utils import parseaddr

import aiosmtplib

from grove_notification.settings import NotificationSettings

STEP_SECONDS = 15.0
"""How long the server may take for one answer."""
DELIVERY_SECONDS = 45.0
"""How long one mail may take altogether: less than a mail's lease, or another sender would take it meanwhile."""
IDLE_SECONDS = 30.0
MOST_MAILS = 100
"""Mails over one connection: after so many another one is opened, and load is shared anew behind a balancer."""
PROBE_SECONDS = 5.0
UNAVAILABLE = 421


class SmtpConnection:
    """One connection, opened when it is needed. Used by one sender, for one mail at a time."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._settings = settings
        self._smtp: aiosmtplib.SMTP | None = None
        self._mails = 0
        self._used_at = 0.0

    async def send(self, message: EmailMessage) -> None:
        """Hand over the message. Raises what aiosmtplib raises, OSError or TimeoutError."""
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._send(message)
        except aiosmtplib.SMTPResponseException as answer:
            if answer.code == UNAVAILABLE:
                self._drop()
            raise
        except BaseException:  # nobody knows where the conversation is
            self._drop()
            raise

    async def close_idle(self) -> None:
        """Say goodbye if no mail was sent for a while."""
        if self._smtp is not None and time.monotonic() - self._used_at >= IDLE_SECONDS:
            await self.aclose()

    async def aclose(self) -> None:
        """Say goodbye."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await smtp.quit(timeout=PROBE_SECONDS)
            smtp.close()

    async def _send(self, message: EmailMessage) -> None:
        sender, to = parseaddr(str(message["From"]))[1], parseaddr(str(message["To"]))[1]
        if self._mails >= MOST_MAILS:
            await self.aclose()
        kept = self._smtp is not None
        try:
            smtp = await self._begin(sender, to)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if not kept or not _had_enough(error):
                raise
            self._drop()  # the mail has not begun, so that beginning anew sends it once
            smtp = await self._begin(sender, to)
        await smtp.data(message.as_bytes(), timeout=DELIVERY_SECONDS)  # giving up on a slow yes would double the mail
        self._mails += 1
        self._used_at = time.monotonic()

    async def _begin(self, sender: str, to: str) -> aiosmtplib.SMTP:
        """The connection, where the server waits for the content."""
        if self._smtp is None:
            self._smtp = await self._connect()
            self._mails = 0
        else:
            await self._smtp.rset(timeout=PROBE_SECONDS)
        await self._smtp.mail(sender)
        await self._smtp.rcpt(to)
        return self._smtp

    async def _connect(self) -> aiosmtplib.SMTP:
        settings = self._settings
        smtp = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",  # True: without it nothing is sent
            cert_bundle=str(settings.smtp_ca_file) if settings.smtp_ca_file else None,
            username=settings.smtp_user or None,
            password=settings.secrets.read("smtp_password") if settings.smtp_user else None,
            timeout=STEP_SECONDS,
        )
        await smtp.connect()
        return smtp

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def _had_enough(error: Exception) -> bool:
    """Whether the connection may be to blame: it is closed, or takes no further mail, as after so many of them. Whom
    the mail goes to is nothing of it.
    """
    return not isinstance(error, aiosmtplib.SMTPRecipientRefused) or error.code == UNAVAILABLE
