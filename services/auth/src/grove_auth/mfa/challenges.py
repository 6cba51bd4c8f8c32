"""Sign-ins that wait for their second factor."""

from collections.abc import Sequence

from grove.core.clock import now
from grove_auth.mfa import rules
from grove_auth.mfa.check import SecondFactorCheck
from grove_auth.mfa.codes import CodeService, Purpose
from grove_auth.mfa.errors import InvalidMfaToken, MethodNotOffered, MfaRequired
from grove_auth.mfa.repository import ChallengeRepository, FactorRepository
from grove_auth.mfa.schemas import SendCode, VerifyMfa
from grove_auth.models import MfaChallenge, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.resources import Resources
from grove_auth.sessions.schemas import SessionOptions
from grove_auth.users.repository import UserRepository


class ChallengeService:
    """Gives out mfa_tokens and takes each once, with a right second factor."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._challenges = ChallengeRepository()
        self._factors = FactorRepository()
        self._codes = CodeService(resources)
        self._check = SecondFactorCheck(resources)

    async def demand(self, user: User, options: SessionOptions, amr: Sequence[str]) -> MfaRequired:
        """What to raise: the sign-in goes on with the mfa_token in it."""
        token = new_token()
        await MfaChallenge(
            id=token_hash(token),
            user_id=user.id,
            standing=user.standing,
            options=options.model_dump(include=set(SessionOptions.model_fields)),
            amr=list(amr),
            left=rules.TRIES,
            expires_at=now() + rules.TOKEN_LIVES,
        ).insert()
        await self._resources.audit.add("login.mfa_required", user.id, actor_id=user.id, amr=" ".join(amr))
        return MfaRequired(await self._check.methods(user), token)

    async def waiting(self, token: str) -> User:
        """Whose sign-in it is. Raises InvalidMfaToken."""
        return (await self._open(token))[1]

    async def send(self, user: User, data: SendCode) -> None:
        """Send a code. Raises MethodNotOffered, TooManyCodes or ServiceUnavailable."""
        await self.send_code(user, data.method, Purpose(data.mfa_token))

    async def send_code(self, user: User, method: str, purpose: Purpose) -> None:
        """Send a code by a way that is on for the user. Raises MethodNotOffered, TooManyCodes, ServiceUnavailable."""
        if method not in user.second_factors:
            raise MethodNotOffered
        if method == "email":
            await self._codes.by_mail(user, purpose)
            return
        factors = await self._factors.get(user.id)
        if factors is None or factors.phone is None:
            raise MethodNotOffered
        phone = self._resources.mfa_cipher.open(factors.phone, purpose=f"phone:{user.id}")
        await self._codes.by_sms(user, purpose, phone)

    async def redeem(self, data: VerifyMfa) -> tuple[User, SessionOptions, list[str]]:
        """Who signs in, into what kind of session, and how they proved it, both factors.

        Raises InvalidMfaToken, WrongCode, TooManyCodes or ServiceUnavailable.
        """
        challenge, user = await self._open(data.mfa_token)
        if not await self._challenges.take_try(challenge.id):
            raise InvalidMfaToken
        proven = await self._check.prove(user, data, Purpose(data.mfa_token))
        if not await self._challenges.use(challenge.id):
            raise InvalidMfaToken  # another right code was first
        return user, SessionOptions.model_validate(challenge.options), [*challenge.amr, *proven]

    async def _open(self, token: str) -> tuple[MfaChallenge, User]:
        challenge = await self._challenges.get(token_hash(token))
        user = await self._users.get(challenge.user_id) if challenge else None
        if challenge is None or user is None or user.standing != challenge.standing:
            raise InvalidMfaToken
        return challenge, user
