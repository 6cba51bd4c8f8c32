"""The rules of sessions: they start with proven factors, and end at once everywhere. They live by refreshes.py."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import InvalidToken
from grove.security.network import truncated
from grove_auth.alerts.service import AlertService
from grove_auth.models import Session, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.places.service import PlaceService
from grove_auth.resources import Resources
from grove_auth.sessions import events, lifetimes
from grove_auth.sessions.device import describe
from grove_auth.sessions.errors import InvalidCredentials, SessionNotFound
from grove_auth.sessions.events import EndReason
from grove_auth.sessions.repository import SessionRepository
from grove_auth.sessions.schemas import AccessToken, SessionOptions
from grove_auth.sessions.tokens import SessionTokens, tokens_for
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()


class SessionService:
    """Starts and ends sessions."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._users = UserRepository()
        self._sessions = SessionRepository()
        self._places = PlaceService(resources)
        self._alerts = AlertService(resources)

    async def start(
        self, user: User, options: SessionOptions, amr: Sequence[str], *, auth_time: datetime | None = None
    ) -> SessionTokens:
        """A session of a user who proved who they are by `amr` (RFC 8176), at `auth_time` or now.

        Raises InvalidCredentials when password or token version are not those of `user` any more.
        """
        token, csrf_token = new_token(), new_token() if options.cookie else None
        session = self._session(user, options, token_hash(token), amr)
        session.csrf_hash = token_hash(csrf_token) if csrf_token else None
        session.auth_time = auth_time or session.auth_time
        session.global_version = await self._resources.token_versions.current()

        async def store(transaction: AsyncClientSession) -> None:
            await self._sessions.insert(session, transaction)
            if not await self._users.still(user, transaction):
                raise InvalidCredentials  # the password changed, or the account went, since it was checked
            await self._resources.facts.add(transaction, user.id, events.started(session))
            await self._resources.audit.add(
                "session.started",
                user.id,
                transaction,
                actor_id=user.id,
                session=session.id,
                amr=" ".join(amr),
                browser=session.browser,
                os=session.os,
            )
            await self._places.watch(transaction, user, session)

        await self._resources.transaction(store)
        return await tokens_for(self._resources, user, session, token if options.refresh else None, csrf_token)

    async def of_user(self, user_id: UUID) -> list[Session]:
        """The user's sessions, newest first."""
        moment, minimum = now(), await self._resources.token_versions.current()
        found = await self._sessions.of_user(user_id)
        return [session for session in found if session.expires_at > moment and session.global_version >= minimum]

    async def end(self, user_id: UUID, session_id: str, reason: EndReason) -> None:
        """End one session of the user. Raises SessionNotFound."""
        session = await Session.get(session_id)
        if session is None or session.user_id != user_id:
            raise SessionNotFound
        await self._end([session], reason)

    async def end_all(self, user_id: UUID, *, but: str | None = None) -> None:
        """End all sessions of the user, or all others."""
        await self._end([s for s in await self._sessions.of_user(user_id) if s.id != but], "revoked")

    async def end_for_reuse(self, session: Session) -> None:
        """A refresh token was used again, so somebody has a copy: nobody's counts any more."""
        log.warning("session.reuse_detected", session_id=session.id, user_id=str(session.user_id))
        context = current_context()
        fact = events.reuse_detected(session, context.client_ip if context else None)
        await self._resources.audit.add(
            "session.reuse_detected", session.user_id, outcome="failure", session=session.id
        )
        await self._end([session], "reuse_detected", also=[fact])

    async def end_all_within(
        self, transaction: AsyncClientSession, user: User, reason: EndReason, *, but: str | None = None
    ) -> None:
        """End the user's sessions, or all others, in the open transaction, which raises the token version by one.

        No access token that was given out before counts any more.
        """
        await self._resources.revocations.end_tokens(transaction, user.id, below=user.token_version + 1)
        sessions = [s for s in await self._sessions.of_user(user.id, transaction) if s.id != but]
        await self._end_within(transaction, sessions, reason)

    async def authenticated(self, user: User, session_id: str, amr: Sequence[str]) -> AccessToken:
        """A token of the same session with a fresh `auth_time`: its user proved again who they are, by `amr`.

        Raises InvalidToken when the session has ended.
        """

        async def store(transaction: AsyncClientSession) -> Session:
            found = await self._sessions.authenticated(session_id, now(), amr, transaction)
            if found is None:
                raise InvalidToken
            await self._resources.audit.add("session.reauthenticated", user.id, transaction, amr=" ".join(amr))
            return found

        session = await self._resources.transaction(store)
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
            session, new_hash=token_hash(refresh_token), replay=None, moment=now(), transaction=transaction
        )

    async def tokens_of(self, session_id: str, refresh_token: str) -> SessionTokens:
        """A session's newest tokens. Raises InvalidToken."""
        session = await Session.get(session_id)
        user = await self._users.get(session.user_id) if session else None
        if session is None or user is None:
            raise InvalidToken
        return await tokens_for(self._resources, user, session, refresh_token)

    def _session(self, user: User, options: SessionOptions, refresh_hash: bytes, amr: Sequence[str]) -> Session:
        context = current_context()
        device = describe(context.user_agent if context else "", options.device_name)
        place = self._resources.geo.place(context.client_ip if context else None)
        moment = now()
        ends_at = moment + lifetimes.absolute(options, self._settings)
        session = Session(
            user_id=user.id,
            refresh_hash=refresh_hash,
            amr=list(amr),
            device_name=device.name,
            device_type=device.type,
            browser=device.browser,
            os=device.os,
            ip=truncated(context.client_ip if context else None),
            city=place.city,
            country=place.country,
            auth_time=moment,
            created_at=moment,
            last_active_at=moment,
            ends_at=ends_at,
            expires_at=ends_at,
        )
        session.expires_at = min(ends_at, moment + lifetimes.idle(session, self._settings))
        return session

    async def _end(self, sessions: list[Session], reason: EndReason, also: Iterable[EventData] = ()) -> None:
        if sessions:
            await self._resources.transaction(lambda transaction: self._end_within(transaction, sessions, reason, also))

    async def _end_within(
        self,
        transaction: AsyncClientSession,
        sessions: list[Session],
        reason: EndReason,
        also: Iterable[EventData] = (),
    ) -> None:
        for session in sessions:
            if not await self._sessions.delete(session, transaction):
                continue
            await self._resources.revocations.add(transaction, "session", session.id)
            await self._resources.facts.add(transaction, session.user_id, *also, events.ended(session, reason))
            await self._resources.audit.add(
                "session.ended", session.user_id, transaction, session=session.id, reason=reason
            )
            if reason == "reuse_detected":
                await self._tell_of_reuse(transaction, session)

    async def _tell_of_reuse(self, transaction: AsyncClientSession, session: Session) -> None:
        context = current_context()
        user = await self._users.get(session.user_id, transaction)
        if user is not None:
            ip = truncated(context.client_ip if context else None)
            await self._alerts.add(transaction, user, "session_reuse", **session.device, ip=ip)
