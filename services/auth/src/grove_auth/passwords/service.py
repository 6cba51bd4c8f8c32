"""The rules of changing and resetting passwords. Either ends all other sessions and raises the token version."""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import MailRequested, UserPasswordChanged, UserVerified
from grove.core.clock import now
from grove.core.errors import Gone, InvalidToken
from grove.core.ids import new_id
from grove_auth.alerts.service import AlertService
from grove_auth.lockout.service import PasswordCheck
from grove_auth.models import PasswordReset, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.passwords import rules
from grove_auth.passwords.repository import PasswordRepository
from grove_auth.passwords.schemas import ChangePassword
from grove_auth.registrations.mails import mail_requested
from grove_auth.resources import Resources
from grove_auth.sessions.errors import InvalidCredentials
from grove_auth.sessions.service import SessionService
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()


class PasswordService:
    """Changes passwords. Nothing that strangers are answered tells whether an address has an account."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._hasher = resources.passwords
        self._users = UserRepository()
        self._passwords = PasswordRepository()
        self._sessions = SessionService(resources)
        self._check = PasswordCheck(resources)
        self._alerts = AlertService(resources)

    async def change(self, user_id: UUID, session_id: str, data: ChangePassword) -> SessionTokens:
        """Another password, and new tokens of this session. Raises InvalidCredentials or WeakPassword."""
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        await self._check.prove(user.email, data.current_password, user.password_hash, user, UUID(session_id))
        hashed = await self._acceptable(user, data.new_password)
        refresh_token = new_token()

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._passwords.replace(user, hashed, self._settings.password_history, transaction):
                raise InvalidCredentials("The password was changed by another request meanwhile.")
            await self._passwords.forget_resets(user_id, transaction)
            await self._sessions.renew(session_id, refresh_token, transaction)
            await self._end_sessions(user, "changed", but=session_id, transaction=transaction)

        await self._resources.transaction(store)
        return await self._sessions.tokens_of(session_id, refresh_token)

    async def request_reset(self, email: str) -> None:
        """Mail a link to the account of that address. Without one the same is written, for nobody."""
        user = await self._users.by_email(email)
        await self._resources.transaction(lambda transaction: self.mail_reset(transaction, user))

    async def mail_reset(self, transaction: AsyncClientSession, user: User | None) -> None:
        """A link and its mail, in the open transaction; for nobody a link that is not mailed."""
        token = new_token()
        expires_at = now() + timedelta(minutes=self._settings.password_reset_minutes)
        reset = PasswordReset(id=token_hash(token), user_id=user.id if user else new_id(), expires_at=expires_at)
        await self._passwords.add_reset(reset, transaction)
        await self._resources.audit.add("password.reset_requested", user.id if user else None, transaction)
        if user is not None:
            await self._resources.outbox.add(transaction, (self._link(user, token, expires_at), 1))
        else:
            await self._passwords.add_nothing(transaction)

    async def invite(self, user: User, transaction: AsyncClientSession) -> None:
        """Mail a link that confirms the address and sets a password: to an account somebody else made."""
        token = new_token()
        expires_at = now() + timedelta(hours=self._settings.invitation_hours)
        reset = PasswordReset(id=token_hash(token), user_id=user.id, expires_at=expires_at)
        await self._passwords.add_reset(reset, transaction)
        await self._resources.outbox.add(transaction, (self._invitation(user, token, expires_at), 1))

    async def reset(self, token: str, new_password: str) -> None:
        """Another password by a mailed link. Raises Gone; or WeakPassword, and then the link still works."""
        reset = await self._passwords.reset(token_hash(token))
        user = await self._users.get(reset.user_id) if reset else None
        if reset is None or user is None:
            await self._resources.audit.add("password.reset", None, outcome="failure")
            raise Gone
        hashed = await self._acceptable(user, new_password)

        async def store(transaction: AsyncClientSession) -> None:
            used = await self._passwords.use_reset(reset, transaction)
            if not used or not await self._passwords.replace(
                user, hashed, self._settings.password_history, transaction
            ):
                raise Gone
            await self._passwords.forget_resets(user.id, transaction)
            await self._check.forget(user, transaction)
            await self._end_sessions(user, "reset", but=None, transaction=transaction)
            if not user.email_verified:  # whoever has the link has the mailbox
                await self._users.update(user.id, {"email_verified": True}, transaction)
                fact = UserVerified(user_id=user.id, email=user.email)
                await self._resources.facts.add(transaction, user.id, fact)

        await self._resources.transaction(store)
        await self._resources.guesses.forget(user.email)
        log.info("password.reset", user_id=str(user.id))

    async def _acceptable(self, user: User, password: str) -> str:
        """The hash of a password that may be the user's next. Raises WeakPassword."""
        about = (user.email, user.name)
        await self._hasher.run(lambda: rules.check(password, self._settings, about=about, field="new_password"))
        for used in user.passwords[: self._settings.password_history]:
            if (await self._hasher.verify(password, used))[0]:
                raise rules.weak("was used before; choose one that is new", "new_password")
        return await self._hasher.hash(password)

    async def _end_sessions(
        self, user: User, how: Literal["changed", "reset"], *, but: str | None, transaction: AsyncClientSession
    ) -> None:
        fact = UserPasswordChanged(user_id=user.id, how=how, changed_at=now())
        await self._resources.facts.add(transaction, user.id, fact)
        await self._resources.audit.add("password." + how, user.id, transaction, actor_id=user.id)
        await self._sessions.end_all_within(transaction, user, "password_changed", but=but)
        await self._alerts.add(transaction, user, "password_changed", how=how)

    def _invitation(self, user: User, token: str, expires_at: datetime) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "invitation",
            to=user.email,
            user_id=user.id,
            locale=user.locale,
            variables={"token": token, "hours": self._settings.invitation_hours},
            expires_at=expires_at,
        )

    def _link(self, user: User, token: str, expires_at: datetime) -> MailRequested:
        return mail_requested(
            self._resources.mail_cipher,
            "reset_password",
            to=user.email,
            user_id=user.id,
            locale=user.locale,
            variables={"name": user.name, "token": token, "minutes": self._settings.password_reset_minutes},
            expires_at=expires_at,
        )
