"""A connection to the mail server that is kept open between mails."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr

import aiosmtplib
import structlog
from aiosmtplib.protocol import normalize_message_line_endings

from grove.core.clock import now
from grove_notification.mails.sending.answers import reason_of
from grove_notification.mails.sending.message import Message
from grove_notification.mails.sending.retries import jittered
from grove_notification.settings import NotificationSettings

log = structlog.get_logger()

STEP_SECONDS = 15.0
"""How long the server may take for one answer, but for that to the content: `smtp_data_seconds`."""
IDLE_SECONDS = 30.0
MOST_MAILS = 100
"""Mails over one connection: after so many another one is opened, and load is shared anew behind a balancer."""
PROBE_SECONDS = 5.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
UNAVAILABLE = 421

_DOTS = re.compile(rb"(?m)^\.")


class Unreachable(Exception):
    """The mail server can't be reached, or takes nobody in: that says nothing of any mail."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Since when a connection can't be opened, and why. `again_at`: by the monotonic clock."""

    since: datetime
    reason: str
    failures: int
    again_at: float


class SmtpConnection:
    """One connection, opened when it is needed. Used by one sender, for one mail at a time."""

    def __init__(self, settings: NotificationSettings) -> None:
        self._settings = settings
        self._smtp: aiosmtplib.SMTP | None = None
        self._mails = 0
        self._used_at = 0.0
        self.outage: Outage | None = None

    @property
    def is_open(self) -> bool:
        """Whether a server answered, and nobody said goodbye."""
        return self._smtp is not None

    async def reopen(self) -> bool:
        """After an outage: open it, if its pause is over. Whether it is open."""
        if self.outage is not None and time.monotonic() < self.outage.again_at:
            return False
        with suppress(Unreachable):
            await self._open()
        return self.is_open

    def end_pause(self) -> None:
        """Another connection was opened: try at once."""
        if self.outage is not None:
            self.outage = Outage(self.outage.since, self.outage.reason, 0, 0.0)

    async def send(self, message: Message, *, on_content: Callable[[], None]) -> None:
        """Hand over the message. `on_content` is called before the content goes; what it raises keeps it back.

        Raises Unreachable, what aiosmtplib raises, OSError or TimeoutError.
        """
        try:
            await self._send(message, on_content)
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

    async def _send(self, message: Message, on_content: Callable[[], None]) -> None:
        sender, to = message.return_path, parseaddr(str(message["To"]))[1]
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
        await self._hand_over(smtp, message, on_content)
        self._mails += 1
        self._used_at = time.monotonic()

    async def _begin(self, sender: str, to: str) -> aiosmtplib.SMTP:
        """The connection, where the server waits for the content."""
        if self._smtp is None:
            smtp = await self._open()
        else:
            smtp = self._smtp
            await smtp.rset(timeout=PROBE_SECONDS)
        await smtp.mail(sender)
        await smtp.rcpt(to)
        return smtp

    async def _hand_over(self, smtp: aiosmtplib.SMTP, message: Message, on_content: Callable[[], None]) -> None:
        """The content, in one piece with its final dot: it is on its way as soon as it begins. Its answer may take
        long, for a server looks at the content meanwhile, and giving up on a slow yes would double the mail (RFC 5321,
        4.5.3.2.6); aiosmtplib's `data` has one time for this answer and the one before.
        """
        invited = await smtp.execute_command(b"DATA")
        if invited.code != aiosmtplib.SMTPStatus.start_input:
            raise aiosmtplib.SMTPDataError(invited.code, invited.message)
        if smtp.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        content = _DOTS.sub(b"..", normalize_message_line_endings(message.as_bytes()))
        on_content()
        smtp.protocol.write(content + b".\r\n")
        answer = await smtp.protocol.read_response(timeout=self._settings.smtp_data_seconds)
        if answer.code != aiosmtplib.SMTPStatus.completed:
            raise aiosmtplib.SMTPDataError(answer.code, answer.message)

    async def _open(self) -> aiosmtplib.SMTP:
        """Raises Unreachable, whatever is in the way before a mail begins; then it waits longer each time."""
        try:
            smtp = await self._connect()
        except Exception as error:
            reason, failures = reason_of(error), self.outage.failures + 1 if self.outage else 1
            pause = jittered(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10)))
            since = self.outage.since if self.outage else now()
            self.outage = Outage(since, reason, failures, time.monotonic() + pause)
            log.warning("mail.server_unreachable", reason=reason, failures=failures)
            raise Unreachable(reason) from error
        self._smtp, self._mails, self._used_at = smtp, 0, time.monotonic()
        self.outage = None
        return smtp

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
        try:
            if smtp.is_ehlo_or_helo_needed:
                await _greet(smtp)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


async def _greet(smtp: aiosmtplib.SMTP) -> None:
    try:
        await smtp.ehlo()
    except aiosmtplib.SMTPHeloError as refused:
        if refused.code == UNAVAILABLE:
            raise
        await smtp.helo()  # an old one


def _had_enough(error: Exception) -> bool:
    """Whether the connection may be to blame: it is closed, or takes no further mail, as after so many of them. Whom
    the mail goes to is nothing of it.
    """
    return not isinstance(error, aiosmtplib.SMTPRecipientRefused) or error.code == UNAVAILABLE
