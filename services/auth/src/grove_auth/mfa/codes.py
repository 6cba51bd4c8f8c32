"""Codes by SMS and mail: eight random digits, kept as a hash under a key that the database does not hold."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove.core.errors import ServiceUnavailable
from grove_auth.mfa import rules
from grove_auth.mfa.errors import MethodNotOffered, TooManyCodes
from grove_auth.mfa.mails import mfa_mail, sms_text
from grove_auth.mfa.repository import CodeRepository
from grove_auth.models import SentCode, User
from grove_auth.one_time_tokens import token_hash
from grove_auth.resources import Resources

DIGITS = 8


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a code is for: it proves nothing elsewhere."""

    key: str
    """Nobody else's: an mfa_token, or the name of an act and whose it is."""

    @property
    def id(self) -> bytes:
        """The code's id."""
        return token_hash(self.key)


def reauthentication(session_id: str) -> Purpose:
    """A session's user proves again who they are."""
    return Purpose(f"reauthenticate:{session_id}")


def phone_enrolment(user_id: UUID) -> Purpose:
    """A phone is to be a second factor."""
    return Purpose(f"phone:{user_id}")


class CodeService:
    """Sends codes and takes each once."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._codes = CodeRepository()

    async def by_mail(self, user: User, purpose: Purpose) -> None:
        """Mail a code. Raises TooManyCodes."""
        code, expires_at = await self._new(user, purpose, None)
        minutes = int(rules.CODE_LIVES.total_seconds() // 60)
        mail = mfa_mail(self._resources, user, "mfa_code", expires_at=expires_at, code=code, minutes=minutes)

        async def store(transaction: AsyncClientSession) -> None:
            await self._resources.outbox.add(transaction, (mail, 1))
            await self._resources.audit.add("mfa.code_sent", user.id, transaction, method="email")

        await self._resources.transaction(store)

    async def by_sms(self, user: User, purpose: Purpose, phone: str) -> None:
        """Send a code to a number. Raises TooManyCodes, MethodNotOffered without a sender, ServiceUnavailable."""
        if self._resources.sms is None:
            raise MethodNotOffered("SMS codes are not offered here.")
        code, _ = await self._new(user, purpose, self._resources.mfa_cipher.seal(phone, purpose=f"phone:{user.id}"))
        try:
            await self._resources.sms.send(phone, sms_text(user, code, self._resources.settings.mfa_issuer))
        except ServiceUnavailable:
            await self._codes.not_sent(purpose.id)
            raise
        await self._resources.audit.add("mfa.code_sent", user.id, method="sms")

    async def take(self, purpose: Purpose, code: str) -> SentCode | None:
        """The code that was sent, used up by this; None for a wrong one. Each try is counted before it is checked."""
        sent = await self._codes.take_try(purpose.id)
        if sent is None or not self._resources.mfa_cipher.is_mac(sent.code_hash, code, purpose=f"code:{purpose.key}"):
            return None
        return sent if await self._codes.use(sent) else None

    async def _new(self, user: User, purpose: Purpose, phone: str | None) -> tuple[str, datetime]:
        """A code, and when it ends."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        sent = SentCode(
            id=purpose.id,
            user_id=user.id,
            method="sms" if phone else "email",
            code_hash=self._resources.mfa_cipher.mac(code, purpose=f"code:{purpose.key}"),
            phone=phone,
            left=rules.TRIES,
            expires_at=now() + rules.CODE_LIVES,
        )
        if not await self._codes.replace(sent, rules.SENDS):
            raise TooManyCodes(int(rules.CODE_LIVES.total_seconds()))
        return code, sent.expires_at
