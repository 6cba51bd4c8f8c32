"""The rules of proving who you are by passkey."""

from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.alerts.service import AlertService
from grove_auth.models import Passkey, User
from grove_auth.models.passkey import Purpose
from grove_auth.passkeys.challenges import Challenges
from grove_auth.passkeys.errors import PasskeyRefused
from grove_auth.passkeys.relying_party import NotProven, RelyingParty, credential_id, user_handle
from grove_auth.passkeys.repository import PasskeyRepository
from grove_auth.passkeys.schemas import Assertion, PasskeyProof
from grove_auth.resources import Resources
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()


class PasskeyCheck:
    """Checks answers of passkeys. Each challenge is used up before its answer is looked at."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._passkeys = PasskeyRepository()
        self._challenges = Challenges()
        self._party = RelyingParty(resources.settings)
        self._alerts = AlertService(resources)

    async def prove(self, challenge_id: str, credential: Assertion) -> tuple[User, list[str]]:
        """Who answered, and how it was proven (RFC 8176). Raises PasskeyRefused.

        A passkey that checked its user by PIN or biometrics is two factors: what they have, and what they know or are.
        """
        challenge = await self._challenge(challenge_id, "sign_in", None)
        passkey = await self._find(credential)
        verified = await self._answered(passkey, credential, challenge, verification=False)
        user = await self._users.get(passkey.user_id)
        if user is None or user_handle(credential) != user.id.bytes:
            raise await self._refused("user", passkey.user_id)
        return user, _amr(passkey, verified=verified)

    async def prove_again(self, user: User, proof: PasskeyProof) -> list[str]:
        """How the signed-in user, who proved to the passkey that they are there, is known again (RFC 8176).

        Raises PasskeyRefused.
        """
        challenge = await self._challenge(proof.challenge_id, "reauthenticate", user.id)
        passkey = await self._find(proof.credential)
        if passkey.user_id != user.id or user_handle(proof.credential) not in {None, user.id.bytes}:
            raise await self._refused("user", user.id)
        return _amr(passkey, verified=await self._answered(passkey, proof.credential, challenge, verification=True))

    async def _challenge(self, challenge_id: str, purpose: Purpose, user_id: UUID | None) -> bytes:
        challenge = await self._challenges.use_up(challenge_id, purpose, user_id)
        if challenge is None:
            raise await self._refused("challenge", user_id)
        return challenge

    async def _find(self, credential: Assertion) -> Passkey:
        key = credential_id(credential)
        passkey = await self._passkeys.by_credential_id(key) if key else None
        if passkey is None:
            raise await self._refused("unknown", None)
        return passkey

    async def _answered(self, passkey: Passkey, credential: Assertion, challenge: bytes, *, verification: bool) -> bool:
        """Whether the passkey checked its user. Raises PasskeyRefused for an answer that does not hold."""
        try:
            verified = self._party.check_answer(credential, challenge, passkey, verification=verification)
        except NotProven as error:
            log.info("passkey.refused", passkey_id=str(passkey.id), reason=str(error))
            raise await self._refused("answer", passkey.user_id) from None
        if await self._passkeys.use(passkey, verified.new_sign_count, verified.credential_backed_up, now()):
            return verified.user_verified
        if await self._passkeys.exists(passkey.id):
            raise await self._cloned(passkey, verified.new_sign_count)
        raise await self._refused("unknown", passkey.user_id)

    async def _refused(self, reason: str, user_id: UUID | None) -> PasskeyRefused:
        await self._resources.audit.add("passkey.refused", user_id, outcome="failure", reason=reason)
        return PasskeyRefused()

    async def _cloned(self, passkey: Passkey, sign_count: int) -> PasskeyRefused:
        """A counter that goes back: there is a copy of the key, and nobody can say which of the two is ours."""
        log.error("passkey.cloned", passkey_id=str(passkey.id), user_id=str(passkey.user_id), sign_count=sign_count)
        await self._resources.audit.add("passkey.cloned", passkey.user_id, outcome="failure", passkey=str(passkey.id))

        async def tell(transaction: AsyncClientSession) -> None:
            user = await self._users.held(passkey.user_id, transaction)
            if user is not None:
                await self._alerts.add(transaction, user, "passkey_copied", passkey_name=passkey.name)

        await self._resources.transaction(tell)
        return PasskeyRefused()


def _amr(passkey: Passkey, *, verified: bool) -> list[str]:
    return ["hwk" if passkey.device_bound else "swk", "user", *(["mfa"] if verified else [])]
