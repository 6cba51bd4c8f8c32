"""The rules of refreshing: each refresh token works once. One that is used again was copied, and ends its session."""

import secrets
from datetime import timedelta

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove.core.context import current_context
from grove.security.network import network_of
from grove.web.auth import ANONYMOUS_LIMIT
from grove.web.rate_limit import Limit
from grove_auth.models import Session, User
from grove_auth.one_time_tokens import new_token, token_hash
from grove_auth.resources import Resources
from grove_auth.sessions import lifetimes, replay
from grove_auth.sessions.errors import CsrfFailed, InvalidRefreshToken
from grove_auth.sessions.repository import SessionRepository
from grove_auth.sessions.service import SessionService
from grove_auth.sessions.tokens import SessionTokens, tokens_for
from grove_auth.users.repository import UserRepository

REFRESH_LIMIT = Limit("refresh", 30, 60)
"""Per session: each token of it works once, so its tokens could not be counted by."""


class RefreshService:
    """Refreshes sessions."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._users = UserRepository()
        self._sessions = SessionRepository()
        self._service = SessionService(resources)

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
        session.expires_at = min(session.ends_at, moment + lifetimes.idle(session, self._settings))
        tokens = await tokens_for(self._resources, user, session, fresh)
        sealed = replay.seal(tokens.model_dump_json(), token)

        async def rotate(transaction: AsyncClientSession) -> bool:
            return await self._sessions.rotate(
                session, new_hash=token_hash(fresh), replay=sealed, moment=moment, transaction=transaction
            )

        if await self._resources.transaction(rotate):
            return tokens
        # another request with this token was first
        return await self._refresh_again(token, hashed, csrf_token, limited=True)

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
        if session is not None:
            await self._service.end_for_reuse(session)


def _check_csrf(session: Session, csrf_token: str | None) -> None:
    """A session in cookie mode needs its CSRF token, another one has none. Raises CsrfFailed."""
    if (csrf_token is None) != (session.csrf_hash is None):
        raise CsrfFailed
    if csrf_token is not None and not secrets.compare_digest(token_hash(csrf_token), session.csrf_hash or b""):
        raise CsrfFailed


def _blocked(user: User) -> bool:
    return user.blocked_until is not None and user.blocked_until > now()
