"""One try of one mail: what is sent, and what becomes of the mail's row."""

import json
import random
import re
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

import aiosmtplib
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.notification import EmailFailed, EmailSent
from grove.core.clock import now
from grove.outbox.postgres import Outbox
from grove.security.encryption import DecryptionFailed, FieldCipher
from grove_notification.mails.addresses import masked
from grove_notification.mails.connection import SmtpConnection
from grove_notification.mails.message import compose
from grove_notification.mails.metrics import MAIL_SECONDS, MAILS
from grove_notification.mails.queue import purpose_of
from grove_notification.mails.rendering import Links, NotRenderable, render
from grove_notification.mails.repository import NOTICE
from grove_notification.mails.unsubscribe_tokens import Unsubscribing, one_click_url, page_url
from grove_notification.models import Mail
from grove_notification.settings import NotificationSettings

log = structlog.get_logger()

JITTER = 0.2
"""By which part a pause is longer or shorter, so that mails that failed together don't come back together."""

_ADDRESS = re.compile(r"[^\s<>@\"',;:()]+@[^\s<>@\"',;:()]+")


class Delivery:
    """Tries mails, each in the transaction that holds its row."""

    def __init__(self, settings: NotificationSettings, cipher: FieldCipher) -> None:
        self._settings = settings
        self._cipher = cipher
        self._links = Links(settings.link_base_url, settings.link_app_url)
        self._unrecorded: set[UUID] = set()
        """Mails that the server took and the database does not know of yet; for long, if it went away meanwhile."""

    async def attempt(self, session: AsyncSession, mail: Mail, connection: SmtpConnection) -> None:
        """Try it, and write down what happened. Call `recorded` once that is committed."""
        if mail.id in self._unrecorded:
            await self._sent(session, mail)
            return
        mail.attempts += 1
        outbox = Outbox(session, self._settings.service)
        try:
            await connection.send(self._message(mail))
        except (DecryptionFailed, NotRenderable) as error:
            await self._give_up(mail, outbox, "failed", str(error))
        except aiosmtplib.SMTPRecipientRefused as error:
            if error.code >= 500:
                mail.bounced_at = now()
                await self._give_up(mail, outbox, "bounced", _reason(error))
            else:
                await self._again(mail, outbox, _reason(error))
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            if error.code >= 500:
                await self._give_up(mail, outbox, "failed", _reason(error))
            else:
                await self._again(mail, outbox, _reason(error))
        except Exception as error:  # noqa: BLE001 - the server, the network, the settings: other mails go on
            await self._again(mail, outbox, _reason(error))
        else:
            self._unrecorded.add(mail.id)
            await self._sent(session, mail)

    def recorded(self, mail_id: UUID) -> None:
        """The transaction of a try is committed."""
        self._unrecorded.discard(mail_id)

    def suppress(self, mail: Mail, bounced: datetime) -> None:
        """It is not sent: the address does not take mails."""
        mail.status = "suppressed"
        mail.last_error = f"a mail to this address bounced on {bounced:%Y-%m-%d %H:%M} UTC"
        MAILS.labels(mail.kind, "suppressed").inc()
        log.info("mail.suppressed", mail_id=str(mail.id), template=mail.template)

    async def _sent(self, session: AsyncSession, mail: Mail) -> None:
        moment = now()
        mail.status, mail.sent_at, mail.sealed, mail.last_error = "sent", moment, None, None
        sent = EmailSent(mail_id=mail.id, template=mail.template, attempts=mail.attempts, sent_at=moment)
        await Outbox(session, self._settings.service).add((sent, mail.attempts))
        MAILS.labels(mail.kind, "sent").inc()
        MAIL_SECONDS.labels(mail.kind).observe((moment - mail.created_at).total_seconds())
        log.info("mail.sent", mail_id=str(mail.id), template=mail.template)

    async def _again(self, mail: Mail, outbox: Outbox, reason: str) -> None:
        """Later, or not at all when it was tried often enough."""
        pauses = self._settings.mail_retry_seconds
        if mail.attempts > len(pauses):
            await self._give_up(mail, outbox, "failed", reason)
            return
        seconds = pauses[mail.attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - timing, no secret
        mail.due_at, mail.last_error = now() + timedelta(seconds=seconds), reason
        MAILS.labels(mail.kind, "delayed").inc()
        log.warning("mail.delayed", mail_id=str(mail.id), reason=reason, seconds=round(seconds))

    async def _give_up(self, mail: Mail, outbox: Outbox, status: str, reason: str) -> None:
        """It waits for an operator, who can have it sent again."""
        mail.status, mail.last_error = status, reason[:500]
        failed = EmailFailed(
            mail_id=mail.id, template=mail.template, attempts=mail.attempts, reason=reason[:500], failed_at=now()
        )
        await outbox.add((failed, mail.attempts))
        MAILS.labels(mail.kind, status).inc()
        log.error("mail.given_up", status=status, mail_id=str(mail.id), template=mail.template, reason=reason[:500])

    def _message(self, mail: Mail) -> EmailMessage:
        """Raises DecryptionFailed or NotRenderable."""
        settings = self._settings
        content = json.loads(self._cipher.open(mail.sealed or "", purpose=purpose_of(mail.id)))
        token = self._unsubscribe_token(mail, mail.user_id)
        rendered = render(
            mail.template,
            locale=mail.locale,
            links=self._links,
            variables=content["variables"],
            subject=mail.subject,
            unsubscribe_url=page_url(settings.link_base_url, token) if token else None,
        )
        return compose(
            rendered,
            mail_id=mail.id,
            sender=settings.mail_from,
            to=content["to"],
            unsubscribe_url=one_click_url(settings.public_api_url, token) if token else None,
        )

    def _unsubscribe_token(self, mail: Mail, user_id: UUID | None) -> str | None:
        """Notices alone can be switched off."""
        if mail.kind != NOTICE or user_id is None:
            return None
        return Unsubscribing(user_id, mail.notification_type).token(self._cipher)


def _reason(error: Exception) -> str:
    """For operators and the log: what the server said, or what was in the way. Servers like to repeat the address."""
    said = f"{error.code} {error.message}" if isinstance(error, aiosmtplib.SMTPResponseException) else str(error)
    return _ADDRESS.sub(lambda found: masked(found[0]), f"{type(error).__name__}: {said}")[:500]
