"""The rules of sessions: they start with proven factors, live by refreshing, and end at once everywhere."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import InvalidToken
from grove.security.network import network_of, truncated
from grove.web.auth import ANONYMOUS_LIMIT
from grove.web.rate_limit import Limit
from grove_auth.alerts.service import AlertService
from grove_auth.models import Session, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.places.service import PlaceService
from grove_auth.resources import Resources
from grove_auth.sessions import events, replay
from grove_auth.sessions.device import describe
from grove_auth.sessions.errors import CsrfFailed, InvalidCredentials, InvalidRefreshToken, SessionNotFound
from grove_auth.sessions.events import EndReason
from grove_auth.sessions.repository import SessionRepository
from grove_auth.sessions.schemas import AccessToken, SessionOptions
from grove_auth.sessions.tokens import SessionTokens
from grove_auth.users.repository import UserRepository

log = structlog.get_logger()

REFRESH_LIMIT = Limit("refresh", 30, 60)
"""Per session: each token of it works once, so its tokens could not be counted by."""


class SessionService:
    """Starts, refreshes and ends sessions."""

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
        return await self._tokens(user, session, token if options.refresh else None, csrf_token)

    async def refresh(self, token: str, csrf_token: str | None = None) -> SessionTokens:
        """Rotate. The rotated token gets the same answer for a short while; after that it ends the session.

        `csrf_token`: what came with the token's cookie. Raises InvalidRefreshToken, CsrfFailed or RateLimited.
        """
        hashed = token_hash(token)
        session = await self._sessions.by_refresh_hash(hashed)
        if session is None:
            return await self._refresh_again(token, hashed, csrf_token, limited=False)
        await self._resources.limiter.enforce(REFRESH_LIMIT, session.id)
        _check_csrf(session, csrf_token)
        moment = now()
        await self._check_version(session)
        user = await self._users.get(session.user_id)
        if user is None or session.expires_at <= moment or _blocked(user):
            raise InvalidRefreshToken
        fresh = new_token()
        session.last_active_at = moment
        session.expires_at = min(session.ends_at, moment + self._idle(session))
        tokens = await self._tokens(user, session, fresh, None)
        sealed = replay.seal(tokens.model_dump_json(), token)

        async def rotate(transaction: AsyncClientSession) -> bool:
            return await self._sessions.rotate(
                session, new_hash=token_hash(fresh), replay=sealed, moment=moment, transaction=transaction
            )

        if await self._resources.transaction(rotate):
            return tokens
        # another request with this token was first
        return await self._refresh_again(token, hashed, csrf_token, limited=True)

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
        return await self._tokens(user, session, refresh_token, None)

    def _session(self, user: User, options: SessionOptions, refresh_hash: bytes, amr: Sequence[str]) -> Session:
        context = current_context()
        device = describe(context.user_agent if context else "", options.device_name)
        place = self._resources.geo.place(context.client_ip if context else None)
        moment = now()
        ends_at = moment + self._lifetime(options)
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
        session.expires_at = min(ends_at, moment + self._idle(session))
        return session

    async def _refresh_again(
        self, token: str, hashed: bytes, csrf_token: str | None, *, limited: bool
    ) -> SessionTokens:
        session = await self._sessions.by_parent_hash(hashed)
        if not limited:
            await self._limit_again(session)
        if session is not None and session.rotated_at is not None:
            in_window = now() - session.rotated_at <= timedelta(seconds=self._settings.refresh_grace_seconds)
            if in_window:
                _check_csrf(session, csrf_token)
                await self._check_version(session)
            if in_window and session.replay is None:
                raise InvalidRefreshToken  # its password was changed a moment ago; whoever did that has the new tokens
            limit = self._settings.refresh_grace_uses
            if in_window and session.replay and await self._sessions.count_replay(session, hashed, limit):
                answer = replay.open_sealed(session.replay, token)
                if answer is not None:
                    return SessionTokens.model_validate_json(answer)
        await self._end_family(hashed)
        raise InvalidRefreshToken

    async def _limit_again(self, session: Session | None) -> None:
        """A token that is not the newest counts for its session; one of no session for whoever sent it."""
        if session is not None:
            await self._resources.limiter.enforce(REFRESH_LIMIT, session.id)
        else:
            context = current_context()
            await self._resources.limiter.enforce(ANONYMOUS_LIMIT, network_of(context.client_ip if context else None))

    async def _check_version(self, session: Session) -> None:
        """Raises InvalidRefreshToken for a session from before the global token version was raised."""
        if session.global_version < await self._resources.token_versions.current():
            raise InvalidRefreshToken

    async def _end_family(self, hashed: bytes) -> None:
        spent = await self._sessions.spent(hashed)
        session = await Session.get(spent.session_id) if spent else None
        if session is None:
            return
        log.warning("session.reuse_detected", session_id=session.id, user_id=str(session.user_id))
        context = current_context()
        fact = events.reuse_detected(session, context.client_ip if context else None)
        await self._resources.audit.add(
            "session.reuse_detected", session.user_id, outcome="failure", session=session.id
        )
        await self._end([session], "reuse_detected", also=[fact])

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
            await self._alerts.add(transaction, user, "session_reuse", device=session.device_name, ip=ip)

    async def _tokens(
        self, user: User, session: Session, refresh_token: str | None, csrf_token: str | None
    ) -> SessionTokens:
        left = session.expires_at - session.last_active_at
        return SessionTokens(
            access_token=await self._resources.keys.access_token(user, session),
            expires_in=self._settings.access_token_minutes * 60,
            refresh_token=refresh_token,
            refresh_expires_in=int(left.total_seconds()) if refresh_token else None,
            session_id=session.id,
            cookie=session.csrf_hash is not None,
            csrf_token=csrf_token,
        )

    def _lifetime(self, options: SessionOptions) -> timedelta:
        if not options.refresh:
            return timedelta(minutes=self._settings.access_token_minutes)
        if options.remember_me:
            return timedelta(days=self._settings.remembered_session_days)
        return timedelta(hours=self._settings.session_hours)

    def _idle(self, session: Session) -> timedelta:
        hours = {
            "browser": self._settings.idle_hours_browser,
            "mobile": self._settings.idle_hours_mobile,
            "api_client": self._settings.idle_hours_api_client,
        }
        return timedelta(hours=hours[session.device_type])


def _check_csrf(session: Session, csrf_token: str | None) -> None:
    """A session in cookie mode needs its CSRF token, another one has none. Raises CsrfFailed."""
    if (csrf_token is None) != (session.csrf_hash is None):
        raise CsrfFailed
    if csrf_token is not None and not secrets.compare_digest(token_hash(csrf_token), session.csrf_hash or b""):
        raise CsrfFailed


def _blocked(user: User) -> bool:
    return user.blocked_until is not None and user.blocked_until > now()
