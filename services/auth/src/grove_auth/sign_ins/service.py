"""The rules of signing in."""

from collections.abc import Sequence
from datetime import timedelta

from grove.core.clock import now
from grove.core.ids import new_id
from grove_auth.captcha.service import CaptchaService
from grove_auth.deletions.service import DeletionService
from grove_auth.devices.cookies import DeviceToken
from grove_auth.devices.service import DeviceService
from grove_auth.lockout.guesses import source_of
from grove_auth.lockout.service import PasswordCheck
from grove_auth.mfa.challenges import ChallengeService
from grove_auth.mfa.recovery import RecoveryService
from grove_auth.mfa.schemas import VerifyMfa
from grove_auth.models import User
from grove_auth.passkeys.check import PasskeyCheck
from grove_auth.passkeys.schemas import PasskeyLogin
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.resources import Resources
from grove_auth.sessions.errors import AccountBlocked, AccountClosed, EmailNotVerified, PasswordExpired
from grove_auth.sessions.schemas import SessionOptions
from grove_auth.sessions.service import SessionService
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.sign_ins.schemas import Login
from grove_auth.users.repository import UserRepository


class SignInService:
    """Checks factors until they suffice for a session."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._registrations = RegistrationRepository()
        self._captcha = CaptchaService(resources)
        self._passwords = PasswordCheck(resources)
        self._passkeys = PasskeyCheck(resources)
        self._challenges = ChallengeService(resources)
        self._recoveries = RecoveryService(resources)
        self._devices = DeviceService(resources)
        self._deletions = DeletionService(resources)
        self._sessions = SessionService(resources)

    async def login(self, data: Login, device: str | None = None) -> SessionTokens:
        """Sign in by password. Raises InvalidCredentials; what else is wrong is told after a right password only.

        `device`: the token of the browser's device cookie. Raises CaptchaRequired, RateLimited or ServiceUnavailable
        before it looks at the password. All that is asked and written on the way is the same for addresses with an
        account and without.
        """
        async with self._resources.sign_in_turns.take():
            return await self._login(data, device)

    async def _login(self, data: Login, device: str | None) -> SessionTokens:
        user = await self._users.by_email(data.email)
        pending = await self._registrations.newest(data.email)
        stored = user.password_hash if user else pending.password_hash if pending else None
        trusted = await self._devices.trusted(user.id if user else new_id(), device)
        source = source_of(data.email, (user.id, trusted) if user and trusted else None)
        async with self._resources.guesses.trying(source) as standing:
            await self._captcha.demand(standing, data.captcha)
            renewed = await self._passwords.prove(data.email, data.password, stored, user, trusted)
        if user is None:
            raise EmailNotVerified
        if renewed:
            await self._users.renew_hash(user, renewed)
            user.password_hash = renewed
        if not user.email_verified:
            await self._refused(user, "unverified")
            raise EmailNotVerified
        await self._refuse_expired(user)
        return await self.proceed(user, data, ["pwd"], device)

    async def second_factor(self, data: VerifyMfa) -> tuple[SessionTokens, DeviceToken | None]:
        """Finish a sign-in that waits; a token for the device when it shall be trusted.

        Raises InvalidMfaToken, WrongCode, TooManyCodes, ServiceUnavailable, and what `proceed` raises.
        """
        user, options, amr = await self._challenges.redeem(data)
        tokens = await self.proceed(user, options, amr)
        await self._recoveries.not_needed(user)
        device = await self._devices.trust(user, options.device_name) if data.trust_device else None
        return tokens, device

    async def login_by_passkey(self, data: PasskeyLogin, device: str | None = None) -> SessionTokens:
        """Sign in by passkey. Raises PasskeyRefused, and what `proceed` raises."""
        user, amr = await self._passkeys.prove(data.challenge_id, data.credential)
        return await self.proceed(user, data, amr, device)

    async def proceed(
        self, user: User, options: SessionOptions, amr: Sequence[str], device: str | None = None
    ) -> SessionTokens:
        """Go on after a factor was proven, whichever it was.

        Raises AccountBlocked, AccountClosed or PasswordExpired, or MfaRequired with what is next. `device`: the token
        of the browser's device cookie. A trusted one stands for the second factor; step-up counts from when that was
        proven.
        """
        await self._refuse_shut(user)
        if not user.second_factors or "mfa" in amr:
            return await self._sessions.start(user, options, amr)
        proven_at = await self._devices.may_skip(user, device)
        if proven_at is None:
            raise await self._challenges.demand(user, options, amr)
        return await self._sessions.start(user, options, amr, auth_time=proven_at)

    async def _refuse_expired(self, user: User) -> None:
        days = self._resources.settings.password_max_age_days
        if days and now() - (user.password_changed_at or user.created_at) > timedelta(days=days):
            await self._refused(user, "password_expired")
            raise PasswordExpired

    async def _refuse_shut(self, user: User) -> None:
        if user.blocked_until is not None and user.blocked_until > now():
            await self._refused(user, "blocked")
            raise AccountBlocked
        if user.closing_at is not None:
            await self._refused(user, "closed")
            await self._deletions.remind(user)
            raise AccountClosed(user.closing_at)
        if user.password_reset_required:  # for every factor: whoever was here may have added some
            await self._refused(user, "password_expired")
            raise PasswordExpired

    async def _refused(self, user: User, reason: str) -> None:
        await self._resources.audit.add("login.refused", user.id, outcome="failure", reason=reason)
