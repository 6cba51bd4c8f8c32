"""The rules of signing in."""

from collections.abc import Sequence
from uuid import UUID

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove_auth.deletions.service import DeletionService
from grove_auth.lockout.service import PasswordCheck
from grove_auth.models import User
from grove_auth.passkeys.check import PasskeyCheck
from grove_auth.passkeys.schemas import PasskeyLogin
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.resources import Resources
from grove_auth.sessions.errors import AccountBlocked, AccountClosed, EmailNotVerified
from grove_auth.sessions.schemas import AccessToken, SessionOptions
from grove_auth.sessions.service import SessionService
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.sign_ins.schemas import Login, Reauthenticate
from grove_auth.users.repository import UserRepository


class SignInService:
    """Checks factors until they suffice for a session."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._registrations = RegistrationRepository()
        self._passwords = PasswordCheck(resources)
        self._passkeys = PasskeyCheck(resources)
        self._sessions = SessionService(resources)
        self._deletions = DeletionService(resources)

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

    async def login_by_passkey(self, data: PasskeyLogin) -> SessionTokens:
        """Sign in by passkey. Raises PasskeyRefused, and what `proceed` raises."""
        user, amr = await self._passkeys.prove(data.challenge_id, data.credential)
        return await self.proceed(user, data, amr)

    async def reauthenticate(self, user_id: UUID, session_id: str, data: Reauthenticate) -> AccessToken:
        """A token of the same session with a fresh `auth_time`. Raises InvalidCredentials."""
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        if data.passkey is not None:
            await self._passkeys.prove_again(user, data.passkey)
        elif data.password is not None:
            await self._passwords.prove(user.email, data.password, user.password_hash, user)
        return await self._sessions.authenticated(user, session_id)

    async def proceed(self, user: User, options: SessionOptions, amr: Sequence[str]) -> SessionTokens:
        """Go on after a first factor was proven, whichever it was. Raises AccountBlocked or AccountClosed."""
        if user.blocked_until is not None and user.blocked_until > now():
            await self._resources.audit.add("login.refused", user.id, outcome="failure", reason="blocked")
            raise AccountBlocked
        if user.closing_at is not None:
            await self._resources.audit.add("login.refused", user.id, outcome="failure", reason="closed")
            await self._deletions.remind(user)
            raise AccountClosed(user.closing_at)
        return await self._sessions.start(user, options, amr)
