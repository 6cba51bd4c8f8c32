"""The rules of sign-in and sessions."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import InvalidToken
from grove.mongo.client import in_transaction
from grove.security.network import truncated
from grove_auth.lockout.service import PasswordCheck
from grove_auth.models import Session, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.registrations.repository import RegistrationRepository
from grove_auth.resources import Resources
from grove_auth.sessions import events, replay
from grove_auth.sessions.device import describe
from grove_auth.sessions.errors import (
    AccountBlocked,
    EmailNotVerified,
    InvalidCredentials,
    InvalidRefreshToken,
    SessionNotFound,
)
from grove_auth.sessions.events import EndReason
from grove_auth.sessions.repository import SessionRepository
from grove_auth.sessions.schemas import AccessToken, Login, TokenPair
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()


class SessionService:
    """Starts, refreshes and ends sessions."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._users = UserRepository()
        self._sessions = SessionRepository()
        self._registrations = RegistrationRepository()
        self._passwords = PasswordCheck(resources)

    async def login(self, data: Login) -> TokenPair:
        """Sign in. Raises InvalidCredentials, or EmailNotVerified after a right password."""
        user = await self._users.by_email(data.email)
        pending = None if user else await self._registrations.newest(data.email)
        stored = user.password_hash if user else pending.password_hash if pending else None
        renewed = await self._passwords.prove(data.email, data.password, stored, user)
        if user is None:
            raise EmailNotVerified
        if user.blocked_until is not None and user.blocked_until > now():
            raise AccountBlocked
        if renewed:
            await self._users.renew_hash(user, renewed)
            user.password_hash = renewed
        return await self._start(user, data)

    async def refresh(self, token: str) -> TokenPair:
        """Rotate. The rotated token gets the same answer for a short while; after that it ends the session."""
        hashed = token_hash(token)
        session = await self._sessions.by_refresh_hash(hashed)
        if session is None:
            return await self._refresh_again(token, hashed)
        moment = now()
        user = await self._users.get(session.user_id)
        if user is None or session.expires_at <= moment:
            raise InvalidRefreshToken
        fresh = new_token()
        expires_at = min(session.ends_at, moment + self._idle(session))
        pair = await self._pair(user, session, fresh, ends_in=session.ends_at - moment)
        sealed = replay.seal(pair.model_dump_json(), token)

        async def rotate(transaction: AsyncClientSession) -> bool:
            return await self._sessions.rotate(
                session,
                new_hash=token_hash(fresh),
                replay=sealed,
                moment=moment,
                expires_at=expires_at,
                transaction=transaction,
            )

        if await in_transaction(self._resources.client, rotate):
            return pair
        return await self._refresh_again(token, hashed)  # another request with this token was first

    async def of_user(self, user_id: UUID) -> list[Session]:
        """The user's sessions, newest first."""
        moment = now()
        return [session for session in await self._sessions.of_user(user_id) if session.expires_at > moment]

    async def end(self, user_id: UUID, session_id: str, reason: EndReason) -> None:
        """End one session of the user. Raises SessionNotFound."""
        session = await Session.get(session_id)
        if session is None or session.user_id != user_id:
            raise SessionNotFound
        await self._end([session], reason)

    async def end_all(self, user_id: UUID, *, but: str | None = None) -> None:
        """End all sessions of the user, or all others."""
        await self._end([s for s in await self._sessions.of_user(user_id) if s.id != but], "revoked")

    async def reauthenticate(self, user_id: UUID, session_id: str, password: str) -> AccessToken:
        """A token of the same session with a fresh `auth_time`. Raises InvalidCredentials."""
        user = await self._users.get(user_id)
        if user is None:
            raise InvalidToken
        await self._passwords.prove(user.email, password, user.password_hash, user)
        session = await self._sessions.authenticated(session_id, now())
        if session is None:
            raise InvalidToken
        return AccessToken(
            access_token=await self._resources.keys.access_token(user, session),
            expires_in=self._settings.access_token_minutes * 60,
        )

    async def renew(self, session_id: str, refresh_token: str, transaction: AsyncClientSession) -> None:
        """Give the session another refresh token; the one it had is spent. Raises InvalidToken."""
        session = await self._sessions.get(session_id, transaction)
        if session is None:
            raise InvalidToken
        await self._sessions.rotate(
            session,
            new_hash=token_hash(refresh_token),
            replay=None,
            moment=now(),
            expires_at=session.expires_at,
            transaction=transaction,
        )

    async def pair_of(self, session_id: str, refresh_token: str) -> TokenPair:
        """The answer with a session's newest tokens. Raises InvalidToken."""
        session = await Session.get(session_id)
        user = await self._users.get(session.user_id) if session else None
        if session is None or user is None:
            raise InvalidToken
        return await self._pair(user, session, refresh_token, ends_in=session.ends_at - now())

    async def all_but(self, user_id: UUID, but: str | None, transaction: AsyncClientSession) -> list[Session]:
        """The user's sessions, as the transaction sees them."""
        return [s for s in await self._sessions.of_user(user_id, transaction) if s.id != but]

    async def _start(self, user: User, data: Login) -> TokenPair:
        context = current_context()
        device = describe(context.user_agent if context else "", data.device_name)
        moment = now()
        token = new_token()
        lifetime = (
            timedelta(days=self._settings.remembered_session_days)
            if data.remember_me
            else timedelta(hours=self._settings.session_hours)
        )
        if not data.refresh:
            lifetime = timedelta(minutes=self._settings.access_token_minutes)
        session = Session(
            user_id=user.id,
            refresh_hash=token_hash(token),
            device_name=device.name,
            device_type=device.type,
            browser=device.browser,
            os=device.os,
            ip=truncated(context.client_ip if context else None),
            auth_time=moment,
            created_at=moment,
            last_active_at=moment,
            ends_at=moment + lifetime,
            expires_at=moment + lifetime,
        )
        session.expires_at = min(session.ends_at, moment + self._idle(session))

        async def store(transaction: AsyncClientSession) -> None:
            await self._sessions.insert(session, transaction)
            if not await self._users.still(user, transaction):
                raise InvalidCredentials  # the password changed, or the account went, since it was checked
            sequence = await self._users.next_sequence(user.id, 1, transaction)
            await self._resources.outbox.add(transaction, (events.started(session), sequence))

        await in_transaction(self._resources.client, store)
        return await self._pair(user, session, token if data.refresh else None, ends_in=lifetime)

    async def _refresh_again(self, token: str, hashed: bytes) -> TokenPair:
        session = await self._sessions.by_parent_hash(hashed)
        if session is not None and session.rotated_at is not None:
            in_window = now() - session.rotated_at <= timedelta(seconds=self._settings.refresh_grace_seconds)
            if in_window and session.replay is None:
                raise InvalidRefreshToken  # its password was changed a moment ago; whoever did that has the new tokens
            limit = self._settings.refresh_grace_uses
            if in_window and session.replay and await self._sessions.count_replay(session, hashed, limit):
                answer = replay.open_sealed(session.replay, token)
                if answer is not None:
                    return TokenPair.model_validate_json(answer)
        await self._end_family(hashed)
        raise InvalidRefreshToken

    async def _end_family(self, hashed: bytes) -> None:
        spent = await self._sessions.spent(hashed)
        session = await Session.get(spent.session_id) if spent else None
        if session is None:
            return
        log.warning("session.reuse_detected", session_id=session.id, user_id=str(session.user_id))
        context = current_context()
        await self._end(
            [session],
            "reuse_detected",
            also=[events.reuse_detected(session, context.client_ip if context else None)],
        )

    async def end_within(
        self,
        transaction: AsyncClientSession,
        sessions: list[Session],
        reason: EndReason,
        also: Iterable[EventData] = (),
    ) -> None:
        """End sessions in the open transaction; wake the revocations' publisher after the commit."""
        until = now() + timedelta(minutes=self._settings.access_token_minutes)
        for session in sessions:
            if not await self._sessions.delete(session, transaction):
                continue
            await self._resources.revocations.add(transaction, "session", session.id, until=until)
            facts = [*also, events.ended(session, reason)]
            first = await self._users.next_sequence(session.user_id, len(facts), transaction)
            await self._resources.outbox.add(
                transaction, *((fact, first + offset) for offset, fact in enumerate(facts))
            )

    async def _end(self, sessions: list[Session], reason: EndReason, also: Iterable[EventData] = ()) -> None:
        if sessions:
            await in_transaction(
                self._resources.client, lambda transaction: self.end_within(transaction, sessions, reason, also)
            )
            self._resources.revocations.added.set()

    async def _pair(self, user: User, session: Session, refresh: str | None, *, ends_in: timedelta) -> TokenPair:
        return TokenPair(
            access_token=await self._resources.keys.access_token(user, session),
            expires_in=self._settings.access_token_minutes * 60,
            refresh_token=refresh,
            refresh_expires_in=int(min(ends_in, self._idle(session)).total_seconds()) if refresh else None,
            session_id=session.id,
        )

    def _idle(self, session: Session) -> timedelta:
        hours = {
            "browser": self._settings.idle_hours_browser,
            "mobile": self._settings.idle_hours_mobile,
            "api_client": self._settings.idle_hours_api_client,
        }
        return timedelta(hours=hours[session.device_type])
