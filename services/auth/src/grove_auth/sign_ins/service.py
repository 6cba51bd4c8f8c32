"""The rules of signing in."""

from collections.abc import Sequence
from uuid import UUID

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove_auth.devices.cookies import DeviceToken
from grove_auth.devices.service import DeviceService
from grove_auth.lockout.service import PasswordCheck
from grove_auth.mfa.challenges import ChallengeService
from grove_auth.mfa.check import SecondFactorCheck
from grove_auth.mfa.codes import CodeService, reauthentication
from grove_auth.mfa.errors import MfaRequired, WrongCode
from grove_auth.mfa.recovery import RecoveryService
from grove_auth.mfa.schemas import VerifyMfa
from grove_auth.models import User
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.resources import Resources
from grove_auth.sessions.errors import AccountBlocked, EmailNotVerified, InvalidCredentials
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
        self._sessions = SessionService(resources)
        self._devices = DeviceService(resources)
        self._challenges = ChallengeService(resources)
        self._second = SecondFactorCheck(resources)
        self._codes = CodeService(resources)
        self._recoveries = RecoveryService(resources)

    async def login(self, data: Login, device: str | None = None) -> SessionTokens:
        """Sign in by password. Raises InvalidCredentials; what else is wrong is told after a right password only.

        `device`: the token of the browser's device cookie.
        """
        user = await self._users.by_email(data.email)
        pending = None if user else await self._registrations.newest(data.email)
        stored = user.password_hash if user else pending.password_hash if pending else None
        renewed = await self._passwords.prove(data.email, data.password, stored, user)
        if user is None:
            raise EmailNotVerified
        if renewed:
            await self._users.renew_hash(user, renewed)
            user.password_hash = renewed
        return await self.proceed(user, data, ["pwd"], device)

    async def second_factor(self, data: VerifyMfa) -> tuple[SessionTokens, DeviceToken | None]:
        """Finish a sign-in that waits; a token for the device when it shall be trusted.

        Raises InvalidMfaToken, WrongCode, TooManyCodes, AccountBlocked or ServiceUnavailable.
        """
        user, options, amr = await self._challenges.redeem(data)
        tokens = await self.proceed(user, options, amr)
        await self._recoveries.not_needed(user)
        device = await self._devices.trust(user, options.device_name) if data.trust_device else None
        return tokens, device

    async def reauthenticate(self, user_id: UUID, session_id: str, data: Reauthenticate) -> AccessToken:
        """A token of the same session with a fresh `auth_time`.

        Raises InvalidCredentials, WrongCode, TooManyCodes, or MfaRequired when the second factor is missing.
        """
        user = await self._user(user_id)
        if user.password_hash is not None or data.password is not None:
            amr = await self._by_password(user, session_id, data)
        elif user.second_factors:
            amr = await self._second.prove(user, data, reauthentication(session_id))
        else:
            amr = await self._by_mail(user, session_id, data)
        return await self._sessions.authenticated(user, session_id, amr)

    async def send_code(self, user_id: UUID, session_id: str, method: str) -> None:
        """Send a code that `reauthenticate` takes. Raises MethodNotOffered, TooManyCodes or ServiceUnavailable."""
        user, purpose = await self._user(user_id), reauthentication(session_id)
        if method == "email" and user.password_hash is None and not user.second_factors:
            await self._codes.by_mail(user, purpose)
        else:
            await self._challenges.send_code(user, method, purpose)

    async def proceed(
        self, user: User, options: SessionOptions, amr: Sequence[str], device: str | None = None
    ) -> SessionTokens:
        """Go on after a factor was proven, whichever it was. Raises AccountBlocked, or MfaRequired with what is next.

        `device`: the token of the browser's device cookie. A trusted one stands for the second factor; step-up counts
        from when that was proven.
        """
        if user.blocked_until is not None and user.blocked_until > now():
            await self._resources.audit.add("login.refused", user.id, outcome="failure", reason="blocked")
            raise AccountBlocked
        if not user.second_factors or "mfa" in amr:
            return await self._sessions.start(user, options, amr)
        proven_at = await self._devices.may_skip(user, device)
        if proven_at is None:
            raise await self._challenges.demand(user, options, amr)
        return await self._sessions.start(user, options, amr, auth_time=proven_at)

    async def _by_password(self, user: User, session_id: str, data: Reauthenticate) -> list[str]:
        if data.password is None:
            raise InvalidCredentials("Send your password too.")
        await self._passwords.prove(user.email, data.password, user.password_hash, user)
        if not user.second_factors:
            return ["pwd"]
        if data.code is None and data.backup_code is None:
            raise MfaRequired(await self._second.methods(user))
        return ["pwd", *await self._second.prove(user, data, reauthentication(session_id))]

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
