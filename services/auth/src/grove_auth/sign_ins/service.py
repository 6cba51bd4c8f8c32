"""The rules of signing in."""

from collections.abc import Sequence
from uuid import UUID

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove_auth.lockout.service import PasswordCheck
from grove_auth.models import User
from grove_auth.one_time_tokens import token_hash
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.resources import Resources
from grove_auth.sessions.errors import AccountBlocked, EmailNotVerified, InvalidCredentials
from grove_auth.sessions.schemas import AccessToken, SessionOptions
from grove_auth.sessions.service import SessionService
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.sign_ins.schemas import Login, Reauthenticate
from grove_auth.social.repository import SocialRepository
from grove_auth.users.repository import UserRepository


class SignInService:
    """Checks factors until they suffice for a session."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._registrations = RegistrationRepository()
        self._passwords = PasswordCheck(resources)
        self._sessions = SessionService(resources)
        self._social = SocialRepository()

    async def login(self, data: Login) -> SessionTokens:
        """Sign in by password. Raises InvalidCredentials; what else is wrong is told after a right password only."""
        user = await self._users.by_email(data.email)
        pending = None if user else await self._registrations.newest(data.email)
        stored = user.password_hash if user else pending.password_hash if pending else None
        renewed = await self._passwords.prove(data.email, data.password, stored, user)
        if user is None:
            raise EmailNotVerified
        if renewed:
            await self._users.renew_hash(user, renewed)
            user.password_hash = renewed
        return await self.proceed(user, data, ["pwd"])

    async def reauthenticate(self, user_id: UUID, session_id: str, data: Reauthenticate) -> AccessToken:
        """A token of the same session with a fresh `auth_time`. Raises InvalidCredentials."""
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        if data.provider_code is not None:
            if not await self._social.take_proof(token_hash(data.provider_code), user_id, session_id):
                await self._resources.audit.add("social.failed", user_id, outcome="failure", reason="code")
                raise InvalidCredentials("The provider's proof was used or has expired.")
        elif data.password is not None:
            await self._passwords.prove(user.email, data.password, user.password_hash, user)
        return await self._sessions.authenticated(user, session_id)

    async def proceed(self, user: User, options: SessionOptions, amr: Sequence[str]) -> SessionTokens:
        """Go on after a first factor was proven, whichever it was. Raises AccountBlocked."""
        if user.blocked_until is not None and user.blocked_until > now():
            await self._resources.audit.add("login.refused", user.id, outcome="failure", reason="blocked")
            raise AccountBlocked
        return await self._sessions.start(user, options, amr)
