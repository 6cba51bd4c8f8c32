"""Whether a notice may go now: its reader's choice and quiet hours, their address, and the limits."""

import time
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.security.encryption import FieldCipher
from grove_notification.mails.addresses import address_mac, address_macs, masked
from grove_notification.mails.repository import MailRepository
from grove_notification.mails.sending.limits import NoticeLimits
from grove_notification.mails.sending.metrics import MAILS
from grove_notification.mails.sending.wanting import keep_wanted
from grove_notification.models import Mail
from grove_notification.preferences.repository import UNWANTED
from grove_notification.users.recipients import recipient

log = structlog.get_logger()

FIRST_LOOK = timedelta(seconds=10)
"""After which a notice to an account without an address is looked at again; then after as long as it has waited."""
LONGEST_LOOK = timedelta(hours=1)
ADDRESS_WAIT = timedelta(days=1)


class Admission:
    """Asked in the transaction that claims a notice; what may not go is moved or suppressed in it."""

    def __init__(self, cipher: FieldCipher, limits: NoticeLimits) -> None:
        self._cipher = cipher
        self._limits = limits
        self._paused_until = 0.0

    @property
    def seconds_paused(self) -> float:
        """How long no notice goes, whoever gets it."""
        return max(0.0, self._paused_until - time.monotonic())

    async def admit(self, session: AsyncSession, mail: Mail) -> str | None:
        """Where a claimed notice may go now: to the account's address. None when it may not: then it was moved, or
        suppressed.
        """
        to = await recipient(session, mail.user_id) if mail.user_id is not None else None
        if to is None:
            _suppress(mail, "its reader's account was deleted", for_good=True)
        elif not keep_wanted(self._cipher, mail, to.choice.mailed_types):
            _suppress(mail, UNWANTED, for_good=True)
        elif to.blocked:
            mail.due_at = now() + LONGEST_LOOK
        elif to.email is None:
            _look_again(mail)
        elif await self._takes_mails(session, mail, to.email):
            quiet = to.choice.quiet_until(now(), to.zone)
            if quiet is not None:
                mail.due_at = quiet
            elif await self._within_limits(session, mail, to.user_id, address_mac(self._cipher, to.email)):
                return to.email
        return None

    async def _takes_mails(self, session: AsyncSession, mail: Mail, address: str) -> bool:
        """Whether none bounced there; an operator may have it sent all the same."""
        mail.masked, mail.address_mac = masked(address), address_mac(self._cipher, address)
        if mail.resent_at is not None:
            return True
        bounced = await MailRepository(session).bounced_at(address_macs(self._cipher, address))
        if bounced is not None:
            _suppress(mail, f"a mail to this address bounced on {bounced:%Y-%m-%d %H:%M} UTC")
        return bounced is None

    async def _within_limits(self, session: AsyncSession, mail: Mail, user_id: UUID, mac: bytes) -> bool:
        seconds = await self._limits.seconds_for_all()
        if seconds:
            self._paused_until = time.monotonic() + seconds
            return False
        seconds = await self._limits.seconds_for(mac)
        if not seconds:
            return True
        first = now() + timedelta(seconds=seconds)
        moved = await MailRepository(session).spread_notices(user_id, first, self._limits.recipient_pace)
        await session.refresh(mail, ["due_at"])
        mail.due_at = max(mail.due_at, first)
        MAILS.labels(mail.kind, "limited").inc(max(moved, 1))
        return False


def _look_again(mail: Mail) -> None:
    """The account has no address: the fact came before auth's word of it."""
    waited = now() - mail.created_at
    if waited > ADDRESS_WAIT:
        _suppress(mail, "its reader's account has no address")
    else:
        mail.due_at = now() + min(max(waited, FIRST_LOOK), LONGEST_LOOK)


def _suppress(mail: Mail, why: str, *, for_good: bool = False) -> None:
    """It is not sent; `for_good`: an operator can't have it sent either."""
    mail.status, mail.last_error = "suppressed", why
    if for_good:
        mail.sealed = None
    MAILS.labels(mail.kind, "suppressed").inc()
    log.info("mail.suppressed", mail_id=str(mail.id), template=mail.template)
