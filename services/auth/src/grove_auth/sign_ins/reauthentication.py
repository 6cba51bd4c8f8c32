"""The rules of proving again that it is you, which is what step-up asks for."""

from uuid import UUID

from grove.core.errors import InvalidToken
from grove_auth.lockout.service import PasswordCheck
from grove_auth.mfa.challenges import ChallengeService
from grove_auth.mfa.check import SecondFactorCheck
from grove_auth.mfa.codes import CodeService, reauthentication
from grove_auth.mfa.errors import MfaRequired, WrongCode
from grove_auth.models import User
from grove_auth.one_time_tokens import token_hash
from grove_auth.passkeys.check import PasskeyCheck
from grove_auth.resources import Resources
from grove_auth.sessions.errors import InvalidCredentials
from grove_auth.sessions.schemas import AccessToken
from grove_auth.sessions.service import SessionService
from grove_auth.sign_ins.schemas import Reauthenticate
from grove_auth.social.repository import SocialRepository
from grove_auth.users.repository import UserRepository


class ReauthenticationService:
    """Takes the factors that an account has; with MFA on, one of them is a second one."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._passwords = PasswordCheck(resources)
        self._passkeys = PasskeyCheck(resources)
        self._challenges = ChallengeService(resources)
        self._second = SecondFactorCheck(resources)
        self._codes = CodeService(resources)
        self._social = SocialRepository()
        self._sessions = SessionService(resources)

    async def reauthenticate(self, user_id: UUID, session_id: str, data: Reauthenticate) -> AccessToken:
        """A token of the same session with a fresh `auth_time`.

        Raises InvalidCredentials, WrongCode, TooManyCodes, or MfaRequired when the second factor is missing.
        """
        user = await self._user(user_id)
        return await self._sessions.authenticated(user, session_id, await self._prove(user, session_id, data))

    async def send_code(self, user_id: UUID, session_id: str, method: str) -> None:
        """Send a code that `reauthenticate` takes. Raises MethodNotOffered, TooManyCodes or ServiceUnavailable."""
        user, purpose = await self._user(user_id), reauthentication(session_id)
        if method == "email" and user.password_hash is None and not user.second_factors:
            await self._codes.by_mail(user, purpose)
        else:
            await self._challenges.send_code(user, method, purpose)

    async def _prove(self, user: User, session_id: str, data: Reauthenticate) -> list[str]:
        """How it was proven (RFC 8176)."""
        if data.passkey is not None:
            return await self._passkeys.prove_again(user, data.passkey)
        first = await self._first(user, session_id, data)
        if not first and not user.second_factors:
            return await self._by_mail(user, session_id, data)
        if not user.second_factors:
            return first
        if data.code is None and data.backup_code is None:
            raise MfaRequired(await self._second.methods(user))
        return [*first, *await self._second.prove(user, data, reauthentication(session_id))]

    async def _first(self, user: User, session_id: str, data: Reauthenticate) -> list[str]:
        """The first factor; none for who has no password, whose second one or mailbox then stands alone."""
        if data.provider_code is not None:
            if not await self._social.take_proof(token_hash(data.provider_code), user.id, session_id):
                await self._resources.audit.add("social.failed", user.id, outcome="failure", reason="code")
                raise InvalidCredentials("The provider's proof was used or has expired.")
            return ["fed"]
        if data.password is not None:
            await self._passwords.prove(user.email, data.password, user.password_hash, user, UUID(session_id))
            return ["pwd"]
        if user.password_hash is not None:
            raise InvalidCredentials("Send your password too.")
        return []

    async def _by_mail(self, user: User, session_id: str, data: Reauthenticate) -> list[str]:
        if data.code is None or await self._codes.take(reauthentication(session_id), data.code) is None:
            await self._resources.audit.add("mfa.wrong", user.id, outcome="failure")
            raise WrongCode
        return ["otp"]

    async def _user(self, user_id: UUID) -> User:
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        return user
