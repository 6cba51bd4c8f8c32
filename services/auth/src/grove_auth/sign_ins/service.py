"""The rules of signing in."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove.core.ids import new_id
from grove_auth.captcha.service import CaptchaService
from grove_auth.deletions.service import DeletionService
from grove_auth.lockout.guesses import source_of
from grove_auth.lockout.service import PasswordCheck
from grove_auth.models import User
from grove_auth.passkeys.check import PasskeyCheck
from grove_auth.passkeys.schemas import PasskeyLogin
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.resources import Resources
from grove_auth.sessions.errors import AccountBlocked, AccountClosed, EmailNotVerified, PasswordExpired
from grove_auth.sessions.schemas import AccessToken, SessionOptions
from grove_auth.sessions.service import SessionService
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.sign_ins.schemas import Login, Reauthenticate
from grove_auth.users.repository import UserRepository

DeviceOf = Callable[[UUID], Awaitable[str | None]]
"""A user's id → the id of the device the user trusts, when the request came with it."""


class SignInService:
    """Checks factors until they suffice for a session."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._registrations = RegistrationRepository()
        self._passwords = PasswordCheck(resources)
        self._passkeys = PasskeyCheck(resources)
        self._captcha = CaptchaService(resources)
        self._sessions = SessionService(resources)
        self._deletions = DeletionService(resources)

    async def login(self, data: Login, device_of: DeviceOf | None = None) -> SessionTokens:
        """Sign in by password. Raises InvalidCredentials; what else is wrong is told after a right password only.

        Raises CaptchaRequired, RateLimited or ServiceUnavailable before it looks at the password. All that is asked
        and written on the way is the same for addresses with an account and without.
        """
        user = await self._users.by_email(data.email)
        pending = await self._registrations.newest(data.email)
        stored = user.password_hash if user else pending.password_hash if pending else None
        device_id = await device_of(user.id if user else new_id()) if device_of else None
        source = source_of(data.email, (user.id, device_id) if user and device_id else None)
        async with self._resources.guesses.trying(source) as standing:
            await self._captcha.demand(standing, data.captcha)
            renewed = await self._passwords.prove(data.email, data.password, stored, user, device_id)
        if user is None:
            raise EmailNotVerified
        if renewed:
            await self._users.renew_hash(user, renewed)
            user.password_hash = renewed
        await self._refuse_expired(user)
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

    async def _refuse_expired(self, user: User) -> None:
        days = self._resources.settings.password_max_age_days
        if days and now() - (user.password_changed_at or user.created_at) > timedelta(days=days):
            await self._resources.audit.add("login.refused", user.id, outcome="failure", reason="password_expired")
            raise PasswordExpired

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
