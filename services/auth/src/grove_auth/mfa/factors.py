"""The rules of turning second factors on and off. Each change voids trusted devices and sign-ins that wait."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Literal

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import MfaDisabled, MfaEnabled
from grove.core.clock import now
from grove.core.errors import InvalidToken, ReauthRequired
from grove.security.principal import Principal
from grove.web.auth import STEP_UP_SECONDS
from grove_auth.alerts.service import AlertService
from grove_auth.mfa import backup_codes, rules, totp
from grove_auth.mfa.codes import CodeService, phone_enrolment
from grove_auth.mfa.errors import FactorsChanged, LastFactor, MethodNotOffered, NothingPending, WrongCode
from grove_auth.mfa.repository import FORGIVEN, FactorRepository
from grove_auth.mfa.schemas import TotpSetup
from grove_auth.models import Session, User
from grove_auth.models.user import Method
from grove_auth.resources import Resources
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

PENDING_LIVES = timedelta(minutes=10)
Work = Callable[[AsyncClientSession], Awaitable[None]]


class FactorService:
    """What a signed-in user does with their own second factors."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._users = UserRepository()
        self._factors = FactorRepository()
        self._codes = CodeService(resources)
        self._alerts = AlertService(resources)

    async def begin_totp(self, principal: Principal) -> TotpSetup:
        """A new secret for an authenticator app; one that counts goes on counting until this is confirmed."""
        user = await self._entitled(principal)
        secret = totp.new_secret()
        await self._factors.ensure(user.id)
        sealed = self._resources.mfa_cipher.seal(secret, purpose=f"totp:{user.id}")
        await self._factors.set_pending(user.id, sealed, now() + PENDING_LIVES)
        uri = totp.uri(secret, account=user.email, issuer=self._resources.settings.mfa_issuer)
        picture = await self._resources.passwords.run(lambda: totp.qr_svg(uri))
        return TotpSetup(secret=secret, otpauth_uri=uri, qr_svg=picture)

    async def confirm_totp(self, principal: Principal, code: str) -> list[str]:
        """Turn it on with a code of it; new backup codes. Raises NothingPending or WrongCode."""
        user, factors = await self._entitled(principal), await self._factors.get(principal.user_id)
        pending = factors.pending_secret if factors and factors.pending_until > now() else None
        if pending is None:
            raise NothingPending
        secret = self._resources.mfa_cipher.open(pending, purpose=f"totp:{user.id}")
        step = totp.step_of(secret, code, now(), after=0)
        if step is None:
            await self._resources.audit.add("mfa.wrong", user.id, outcome="failure")
            raise WrongCode
        codes, set_codes = await self._new_codes(user)

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._factors.set_totp(user.id, pending, step, transaction):
                raise NothingPending
            await set_codes(transaction)

        await self._turn_on(user, "totp", store)
        return codes

    async def begin_sms(self, principal: Principal, phone: str) -> None:
        """Send a code to a number. Raises MethodNotOffered, TooManyCodes or ServiceUnavailable."""
        user = await self._entitled(principal)
        await self._factors.ensure(user.id)
        await self._codes.by_sms(user, phone_enrolment(user.id), phone)

    async def confirm_sms(self, principal: Principal, code: str) -> list[str]:
        """Turn it on with the code; backup codes if there are none yet. Raises WrongCode."""
        user = await self._entitled(principal)
        sent = await self._codes.take(phone_enrolment(user.id), code)
        if sent is None:
            await self._resources.audit.add("mfa.wrong", user.id, outcome="failure")
            raise WrongCode
        codes, set_codes = await self._first_codes(user)

        async def store(transaction: AsyncClientSession) -> None:
            await self._factors.set(user.id, transaction, phone=sent.phone)
            await set_codes(transaction)

        await self._turn_on(user, "sms", store)
        return codes

    async def enable_email(self, principal: Principal) -> list[str]:
        """Turn on codes by mail; backup codes if there are none yet."""
        user = await self._entitled(principal)
        if "email" in user.second_factors:
            return []
        await self._factors.ensure(user.id)
        codes, set_codes = await self._first_codes(user)
        await self._turn_on(user, "email", set_codes)
        return codes

    async def renew_codes(self, principal: Principal) -> list[str]:
        """Ten new backup codes; those before work no more. Raises MethodNotOffered without a second factor."""
        user = await self._entitled(principal)
        if not user.second_factors:
            raise MethodNotOffered("Turn on a second factor first.")
        codes, set_codes = await self._new_codes(user)

        async def store(transaction: AsyncClientSession) -> None:
            await set_codes(transaction)
            await self._resources.audit.add("mfa.backup_codes_renewed", user.id, transaction)

        await self._resources.transaction(store)
        return codes

    async def remove(self, principal: Principal, method: Method) -> None:
        """Turn one off; nothing happens when it is off. Raises LastFactor where a role needs one."""
        user = await self._entitled(principal)
        left = [kept for kept in user.second_factors if kept != method]
        if len(left) == len(user.second_factors):
            return
        if not left:
            if rules.must_have(user, self._resources.settings.mfa_required_roles):
                raise LastFactor
            await self.turn_off(user, "removed")
            return

        async def store(transaction: AsyncClientSession) -> None:
            gone = {"totp": {"totp_secret": None}, "sms": {"phone": None}, "email": {}}[method]
            if gone:
                await self._factors.set(user.id, transaction, **gone)
            await self._change(user, left, transaction)
            fact = MfaDisabled(user_id=user.id, method=method, reason="removed", disabled_at=now())
            await self._resources.facts.add(transaction, user.id, fact)
            await self._alert(transaction, user, "disabled", method)
            await self._resources.audit.add("mfa.disabled", user.id, transaction, method=method, reason="removed")

        await self._resources.transaction(store)

    async def turn_off(
        self, user: User, reason: Literal["removed", "recovered", "admin"], also: Work | None = None
    ) -> None:
        """Nothing is left of the user's second factors. `also` runs in the same transaction, first."""

        async def store(transaction: AsyncClientSession) -> None:
            if also is not None:
                await also(transaction)
            await self._factors.remove(user.id, transaction)
            await self._change(user, [], transaction)
            fact = MfaDisabled(user_id=user.id, method="all", reason=reason, disabled_at=now())
            await self._resources.facts.add(transaction, user.id, fact)
            if reason != "recovered":  # which has a mail of its own
                await self._alert(transaction, user, "disabled", "all")
            await self._resources.audit.add("mfa.disabled", user.id, transaction, method="all", reason=reason)

        await self._resources.transaction(store)
        log.warning("mfa.off", user_id=str(user.id), reason=reason)

    async def _turn_on(self, user: User, method: Method, work: Work) -> None:
        methods = [*(kept for kept in user.second_factors if kept != method), method]

        async def store(transaction: AsyncClientSession) -> None:
            await work(transaction)
            await self._change(user, methods, transaction)
            fact = MfaEnabled(user_id=user.id, method=method, enabled_at=now())
            await self._resources.facts.add(transaction, user.id, fact)
            await self._alert(transaction, user, "enabled", method)
            await self._resources.audit.add("mfa.enabled", user.id, transaction, method=method)

        await self._resources.transaction(store)

    async def _alert(
        self,
        transaction: AsyncClientSession,
        user: User,
        change: Literal["enabled", "disabled"],
        method: Method | Literal["all"],
    ) -> None:
        await self._alerts.add(transaction, user, "mfa_changed", change=change, method=method)

    async def _change(self, user: User, methods: list[Method], transaction: AsyncClientSession) -> None:
        if not await self._factors.change_user(user, methods, transaction):
            raise FactorsChanged

    async def _first_codes(self, user: User) -> tuple[list[str], Work]:
        if user.second_factors:
            return [], _nothing
        return await self._new_codes(user)

    async def _new_codes(self, user: User) -> tuple[list[str], Work]:
        codes, salt, settings = backup_codes.new_codes(), backup_codes.new_salt(), self._resources.settings
        hashes = await self._resources.passwords.run(
            lambda: [backup_codes.hashed(code, salt, settings) for code in codes]
        )

        async def store(transaction: AsyncClientSession) -> None:
            fields = {} if user.second_factors else FORGIVEN
            await self._factors.set(user.id, transaction, backup_salt=salt, backup_hashes=hashes, **fields)

        return codes, store

    async def _entitled(self, principal: Principal) -> User:
        """The user, whose session proved a second factor if there is one. Raises ReauthRequired."""
        user, session = await self._users.get(principal.user_id), await Session.get(principal.session_id)
        if user is None:
            raise InvalidToken
        if user.second_factors and (session is None or "mfa" not in session.amr):
            raise ReauthRequired(STEP_UP_SECONDS)
        return user


async def _nothing(_: AsyncClientSession) -> None:
    """No codes to store."""
