"""What operators do about mails: having them sent again, and telling that they came back."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.postgres.subqueries import evaluated_once
from grove_notification.mails.errors import ContentGone, MailNotFound, NotEnded, NotSent
from grove_notification.models import Mail

log = structlog.get_logger()

MOST = 1000
"""Mails that are queued again in one go."""


class MailAdminService:
    """Changes mails for `actor`, who is named in the log. Never commits."""

    def __init__(self, session: AsyncSession, actor: UUID) -> None:
        self._session = session
        self._actor = actor

    async def resend(self, mail_id: UUID) -> None:
        """Queue a mail that failed, bounced or was suppressed. Raises MailNotFound, ContentGone or NotEnded."""
        again = Mail.status.in_(("failed", "bounced", "suppressed"))
        if await self._change(mail_id, again & Mail.sealed.is_not(None), _queued_again(now())):
            log.info("mail.resent", mail_id=str(mail_id), actor=str(self._actor))
            return
        raise NotEnded if await self._status(mail_id) == "queued" else ContentGone

    async def resend_all(self, status: str) -> int:
        """Queue the mails of a status, oldest first, up to MOST. How many."""
        ended = (
            select(Mail.id)
            .where(Mail.status == status, Mail.sealed.is_not(None))
            .order_by(Mail.created_at, Mail.id)
            .limit(MOST)
            .with_for_update(skip_locked=True)
        )
        connection = await self._session.connection()
        again = update(Mail).where(Mail.id.in_(evaluated_once(ended))).values(**_queued_again(now()))
        done = await connection.execute(again)
        log.info("mail.all_resent", status=status, mails=done.rowcount, actor=str(self._actor))
        return int(done.rowcount)

    async def bounced(self, mail_id: UUID, reason: str) -> None:
        """A mail that was sent came back. Raises MailNotFound or NotSent; saying it again changes nothing."""
        values = {"status": "bounced", "bounced_at": now(), "last_error": f"reported: {reason}"}
        if await self._change(mail_id, Mail.status == "sent", values):
            log.info("mail.reported_bounced", mail_id=str(mail_id), actor=str(self._actor))
        elif await self._status(mail_id) != "bounced":
            raise NotSent

    async def _change(self, mail_id: UUID, condition: ColumnElement[bool], values: dict[str, Any]) -> bool:
        change = update(Mail).where(Mail.id == mail_id, condition).values(**values)
        return (await (await self._session.connection()).execute(change)).rowcount == 1

    async def _status(self, mail_id: UUID) -> str:
        status = await self._session.scalar(select(Mail.status).where(Mail.id == mail_id))
        if status is None:
            raise MailNotFound
        return status


def _queued_again(moment: datetime) -> dict[str, Any]:
    return {"status": "queued", "attempts": 0, "due_at": moment, "resent_at": moment, "bounced_at": None}
