"""What operators do about mails: having them sent again, and telling that they came back."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.outbox.postgres import Outbox
from grove.postgres.subqueries import evaluated_once
from grove_notification.mails.errors import ContentGone, Expired, MailNotFound, NotEnded, NotSent
from grove_notification.mails.events import tell_end
from grove_notification.mails.schemas import ResendMany
from grove_notification.models import Mail

log = structlog.get_logger()

MOST = 1000
"""Mails that are queued again in one go."""


class MailAdminService:
    """Changes mails for `actor`, who is named in the log. Never commits."""

    def __init__(self, session: AsyncSession, outbox: Outbox, actor: UUID) -> None:
        self._session = session
        self._outbox = outbox
        self._actor = actor

    async def resend(self, mail_id: UUID) -> None:
        """Queue what failed, bounced or was suppressed. Raises MailNotFound, NotEnded, Expired or ContentGone."""
        mail, moment = await self._locked(mail_id), now()
        if mail.status == "queued":
            raise NotEnded
        if mail.status == "expired" or (mail.sealed and mail.expires_at is not None and mail.expires_at <= moment):
            raise Expired
        if mail.sealed is None:
            raise ContentGone
        for name, value in _queued_again(moment).items():
            setattr(mail, name, value)
        log.info("mail.resent", mail_id=str(mail_id), actor=str(self._actor))

    async def resend_all(self, wanted: ResendMany) -> int:
        """Queue those that are still of use, oldest first, up to MOST. How many."""
        moment = now()
        ended = (
            select(Mail.id)
            .where(*_all_of(wanted), Mail.sealed.is_not(None))
            .where(or_(Mail.expires_at.is_(None), Mail.expires_at > moment))
            .order_by(Mail.created_at, Mail.id)
            .limit(MOST)
            .with_for_update(skip_locked=True)
        )
        connection = await self._session.connection()
        again = update(Mail).where(Mail.id.in_(evaluated_once(ended))).values(**_queued_again(moment))
        done = await connection.execute(again)
        asked = wanted.model_dump(mode="json", exclude_none=True)
        log.info("mail.all_resent", mails=done.rowcount, actor=str(self._actor), **asked)
        return int(done.rowcount)

    async def bounced(self, mail_id: UUID, reason: str) -> None:
        """A mail that was sent came back. Raises MailNotFound or NotSent; saying it again changes nothing."""
        mail, moment = await self._locked(mail_id), now()
        if mail.status == "bounced":
            return
        if mail.status != "sent":
            raise NotSent
        mail.status, mail.bounced_at, mail.last_error = "bounced", moment, f"reported: {reason}"
        await tell_end(self._outbox, mail, moment)
        log.info("mail.reported_bounced", mail_id=str(mail_id), actor=str(self._actor))

    async def _locked(self, mail_id: UUID) -> Mail:
        mail = await self._session.get(Mail, mail_id, with_for_update=True)
        if mail is None:
            raise MailNotFound
        return mail


def _all_of(wanted: ResendMany) -> Iterator[ColumnElement[bool]]:
    yield Mail.status == wanted.status
    if wanted.template is not None:
        yield Mail.template == wanted.template
    if wanted.kind is not None:
        yield Mail.kind == wanted.kind
    if wanted.date_from is not None:
        yield Mail.created_at >= wanted.date_from
    if wanted.date_to is not None:
        yield Mail.created_at < wanted.date_to


def _queued_again(moment: datetime) -> dict[str, Any]:
    ended = dict.fromkeys(("bounced_at", "failed_at"))
    return {"status": "queued", "attempts": 0, "due_at": moment, "resent_at": moment, **ended}
