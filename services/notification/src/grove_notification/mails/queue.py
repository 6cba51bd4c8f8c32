"""Queueing mails, each in the transaction of what it tells about."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.auth import MailRequested
from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.encryption import DecryptionFailed, FieldCipher
from grove_notification.mails.addresses import address_mac, address_macs, masked
from grove_notification.mails.catalogue import TEMPLATES
from grove_notification.mails.repository import NOTICES, MailRepository
from grove_notification.models import Mail

TO_NOBODY_YET = "verify_email"
"""The mail that makes an account."""
GOODBYE = "account_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail to queue; its template says of what kind it is. `due_at`: not before. `notification_type`: what its reader
    can unsubscribe from. `to`: a notice's is shown only, for it goes to the address that its reader's account has when
    it is sent; there may be none yet.
    """

    template: str
    to: str | None
    user_id: UUID
    locale: str
    variables: dict[str, Any] = field(default_factory=dict)
    subject: str | None = None
    notification_type: str | None = None
    due_at: datetime | None = None


class MailQueue:
    """Adds mails to a session's transaction. `due` is set when the sender of this process should look at once."""

    def __init__(self, cipher: FieldCipher) -> None:
        self._cipher = cipher
        self.due = asyncio.Event()

    async def add(self, session: AsyncSession, letter: Letter) -> None:
        """Queue a mail in the open transaction."""
        mail_id = new_id()
        moment = now()
        kind = TEMPLATES[letter.template].kind
        content = {"variables": letter.variables} | ({} if kind in NOTICES else {"to": letter.to})
        await MailRepository(session).add(
            Mail(
                id=mail_id,
                user_id=letter.user_id,
                kind=kind,
                notification_type=letter.notification_type,
                template=letter.template,
                subject=letter.subject,
                locale=letter.locale,
                masked=masked(letter.to) if letter.to else None,
                address_mac=address_mac(self._cipher, letter.to) if letter.to else None,
                sealed=self._cipher.seal(json.dumps(content), purpose=purpose_of(mail_id)),
                status="queued",
                attempts=0,
                due_at=letter.due_at or moment,
                created_at=moment,
            )
        )

    async def add_sealed(self, session: AsyncSession, asked: MailRequested) -> None:
        """Queue a mail whose address and variables come sealed.

        One that does not open is queued all the same: its sender gives it up, and an operator sees it. Of a goodbye
        the address is known while its content is: nothing tells of a deleted account once it is sent.
        """
        moment = now()
        known = TEMPLATES.get(asked.template)
        mail = Mail(
            id=asked.mail_id,
            user_id=asked.user_id,
            kind=known.kind if known else "security",
            template=asked.template,
            locale=asked.locale,
            sealed=asked.sealed,
            status="queued",
            attempts=0,
            due_at=moment,
            created_at=moment,
            expires_at=asked.expires_at,
        )
        if asked.template != GOODBYE:
            with suppress(DecryptionFailed):
                address = json.loads(self._cipher.open(asked.sealed, purpose=purpose_of(asked.mail_id)))["to"]
                mail.masked, mail.address_mac = masked(address), address_mac(self._cipher, address)
        await MailRepository(session).add(mail)

    async def adopt(self, session: AsyncSession, user_id: UUID, email: str) -> None:
        """The mails that led to an account are its own, and are erased with it."""
        to_them = Mail.address_mac.in_(address_macs(self._cipher, email)), Mail.user_id.is_(None)
        adopted = update(Mail).where(*to_them, Mail.template == TO_NOBODY_YET).values(user_id=user_id)
        await (await session.connection()).execute(adopted)

    async def wake(self) -> None:
        """Have the sender look for due mail now."""
        self.due.set()


def purpose_of(mail_id: UUID) -> str:
    """What a mail's content is sealed for."""
    return f"mail:{mail_id}"
