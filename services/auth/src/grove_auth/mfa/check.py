"""Checks a second factor, whichever it is."""

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.mfa import backup_codes, totp
from grove_auth.mfa.attempts import FactorAttempts
from grove_auth.mfa.codes import CodeService, Purpose
from grove_auth.mfa.errors import WrongCode
from grove_auth.mfa.repository import FactorRepository
from grove_auth.mfa.rules import AMR, Proof
from grove_auth.mfa.schemas import SecondFactor
from grove_auth.models import SecondFactors, User
from grove_auth.resources import Resources


class SecondFactorCheck:
    """Takes each code once, under any race."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._factors = FactorRepository()
        self._attempts = FactorAttempts(resources)
        self._codes = CodeService(resources)

    async def methods(self, user: User) -> list[str]:
        """What the user can choose from."""
        factors = await self._factors.get(user.id)
        offered: list[str] = [m for m in user.second_factors if m != "sms" or self._resources.sms is not None]
        return [*offered, "backup_code"] if factors and factors.backup_hashes else offered

    async def prove(self, user: User, given: SecondFactor, purpose: Purpose) -> list[str]:
        """How the second factor was proven (RFC 8176). `purpose`: what a code was sent for.

        Raises WrongCode, TooManyCodes or ServiceUnavailable.
        """
        factors = await self._factors.get(user.id)
        if factors is None or not user.second_factors:
            raise WrongCode
        backup = await self._hashed(factors, given.backup_code)  # before it counts: the hash may have to wait
        tried = await self._attempts.take(user.id)
        proof = await self._proof(user, factors, given.code, backup, purpose)
        if proof is None:
            await self._attempts.wrong(user, tried)
            raise WrongCode
        await self._attempts.right(user.id)
        return [AMR[proof], "mfa"]

    async def _proof(
        self, user: User, factors: SecondFactors, code: str | None, backup: bytes | None, purpose: Purpose
    ) -> Proof | None:
        if backup is not None:
            return "backup_code" if await self._is_backup_code(factors, backup) else None
        if code is None:
            return None
        if len(code) == totp.DIGITS:
            return "totp" if await self._is_totp(factors, code) else None
        sent = await self._codes.take(purpose, code)
        return sent.method if sent and sent.user_id == user.id and sent.method in user.second_factors else None

    async def _is_backup_code(self, factors: SecondFactors, hashed: bytes) -> bool:
        async def store(transaction: AsyncClientSession) -> bool:
            if not await self._factors.take_backup_code(factors.id, hashed, transaction):
                return False
            left = len(factors.backup_hashes) - 1
            await self._resources.audit.add(
                "mfa.backup_code_used", factors.id, transaction, actor_id=factors.id, left=str(left)
            )
            return True

        return await self._resources.transaction(store)

    async def _is_totp(self, factors: SecondFactors, code: str) -> bool:
        if factors.totp_secret is None:
            return False
        secret = self._resources.mfa_cipher.open(factors.totp_secret, purpose=f"totp:{factors.id}")
        step = totp.step_of(secret, code, now(), after=factors.totp_step)
        return step is not None and await self._factors.take_step(factors, step)

    async def _hashed(self, factors: SecondFactors, code: str | None) -> bytes | None:
        if code is None:
            return None
        salt, settings = factors.backup_salt or backup_codes.new_salt(), self._resources.settings
        return await self._resources.passwords.run(lambda: backup_codes.hashed(code, salt, settings))
