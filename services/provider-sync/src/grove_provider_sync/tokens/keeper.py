"""Access tokens that last: refreshed ahead of their end, once across all processes, and stored before they are used.

Who refreshes says so in the connection's row and asks the provider without a lock; others wait for what comes of it.
When the asking process dies, the next one may ask as soon as the time is over that an answer takes at most.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy import update

from grove.core.clock import now
from grove.core.errors import UpstreamTimeout
from grove.postgres.engine import STORE_ERRORS, is_unavailable
from grove.security.encryption import DecryptionFailed
from grove_provider_sync.connections.standing import lose_access
from grove_provider_sync.models import Connection
from grove_provider_sync.providers.interface import ProviderRefused, Tokens
from grove_provider_sync.providers.turns import calling_for
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.metrics import RUNS
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.tokens import audit, sealing
from grove_provider_sync.tokens.errors import TokensGone
from grove_provider_sync.tokens.metrics import ROTATIONS
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.revoking import OTHER_GRANT, destroyed, queue
from grove_provider_sync.tokens.versions import are_alive

log = structlog.get_logger()

LOOK_SECONDS = 0.1
AGAIN_SECONDS = 0.5
LIVE = ("active", "error")
MARGIN_SECONDS = 5
Rotation = Literal["new", "none", "same"]


@dataclass(frozen=True, slots=True)
class _Turn:
    """Ours to refresh what is `held`, until `until`."""

    owner: Owner
    version: int
    held: Tokens
    until: datetime


class TokenKeeper:
    """One for each process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._cipher = resources.token_cipher
        self._refreshing: set[asyncio.Task[Tokens]] = set()

    @property
    def _ask_seconds(self) -> float:
        """The longest an answer takes, with the wait for our turn at the provider."""
        return self._settings.provider_total_seconds + self._settings.provider_wait_seconds

    async def tokens(self, connection_id: UUID, *, refused: str | None = None) -> Tokens:
        """Tokens to use now. `refused`: an access token that the provider does not take, whatever it said of its end.

        Raises TokensGone, DecryptionFailed, or what the provider's `refresh` raises.
        """
        while True:
            found = await self._look(connection_id, refused)
            if isinstance(found, Tokens):
                return found
            if found is not None:
                refreshing = asyncio.create_task(self._refresh(connection_id, found))
                self._refreshing.add(refreshing)  # whoever waits may be cancelled; an answer is kept all the same
                refreshing.add_done_callback(self._refreshing.discard)
                return await asyncio.shield(refreshing)
            await asyncio.sleep(LOOK_SECONDS)

    async def drain(self) -> None:
        """Wait for answers under way, for as long as they take at most: a process that ends must not lose them."""
        until = asyncio.get_running_loop().time() + self._ask_seconds
        while self._refreshing and (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(list(self._refreshing), timeout=left)  # others may begin meanwhile

    def last(self, tokens: Tokens) -> bool:
        """Whether they can be used for a while yet."""
        ahead = timedelta(seconds=self._settings.refresh_ahead_seconds)
        return tokens.expires_at is None or tokens.expires_at > now() + ahead

    async def _look(self, connection_id: UUID, refused: str | None) -> Tokens | _Turn | None:
        """Tokens that last, our turn to refresh them, or None while somebody else does."""
        async with self._resources.sessions.begin() as session:
            connection = await session.get(Connection, connection_id, with_for_update=True)
            if connection is None or not await are_alive(session, connection):
                raise TokensGone
            if connection.status == "needs_reauth":
                raise ProviderRefused  # as it told somebody already
            held = sealing.stored(self._cipher, connection)
            if self.last(held) and held.access_token != refused:
                return held
            if held.refresh_token is None:
                raise ProviderRefused
            moment = now()
            if connection.refreshing_until is not None and connection.refreshing_until > moment:
                return None
            until = moment + timedelta(seconds=self._ask_seconds + MARGIN_SECONDS)
            connection.refreshing_until = until
            return _Turn(Owner.of(connection), connection.token_version, held, until)

    async def _refresh(self, connection_id: UUID, turn: _Turn) -> Tokens:
        provider = self._resources.providers.get(turn.owner.provider)
        try:
            with calling_for(connection_id):
                async with asyncio.timeout(self._ask_seconds):
                    answer = await provider.refresh(turn.held)
        except TimeoutError:
            await self._end_turn(connection_id, turn)
            raise UpstreamTimeout(f"{provider.description.name} did not answer in time.") from None
        except ProviderRefused as refusal:
            await self._lose_access(turn, refusal)
            raise
        except BaseException:
            await self._end_turn(connection_id, turn)
            raise
        return await self._keep(connection_id, turn, answer)

    async def _keep(self, connection_id: UUID, turn: _Turn, answer: Tokens) -> Tokens:
        """Store an answer, and only then let it be used. A store that is away is waited for while it is our turn: what
        took the place of a spent refresh token is nowhere else.
        """
        while True:
            try:
                return await self._store(connection_id, turn, answer)
            except STORE_ERRORS as error:
                if not is_unavailable(error) or now() > turn.until:
                    raise
                log.warning("provider.tokens_not_stored", connection_id=str(connection_id), error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _store(self, connection_id: UUID, turn: _Turn, answer: Tokens) -> Tokens:
        rotation = _rotation(turn.held, answer)
        fresh = replace(answer, refresh_token=answer.refresh_token or turn.held.refresh_token)
        async with self._resources.sessions.begin() as session:
            connection = await session.get(Connection, connection_id, with_for_update=True)
            if connection is None or connection.token_version != turn.version or connection.sealed_tokens is None:
                if connection is not None and self._holds(connection, fresh):
                    return fresh  # stored, though we were not told so
                log.warning("provider.tokens_overtaken", connection_id=str(connection_id), rotation_type=rotation)
                if connection is not None and connection.sealed_tokens is not None:
                    await destroyed(session, turn.owner, OTHER_GRANT)
                else:
                    await queue(session, self._resources, turn.owner, fresh)
            else:
                sealing.store(self._cipher, connection, fresh)
                connection.refreshing_until = None
                await audit.record(session, "token_rotated", turn.owner, rotation_type=rotation)
                ROTATIONS.labels(turn.owner.provider, rotation).inc()
                log.info("provider.token_rotated", connection_id=str(connection_id), rotation_type=rotation)
                if await are_alive(session, connection):
                    return fresh
        raise TokensGone  # taken away while we asked, or killed with all others of the provider

    def _holds(self, connection: Connection, tokens: Tokens) -> bool:
        try:
            return sealing.stored(self._cipher, connection).access_token == tokens.access_token
        except DecryptionFailed:
            return False

    async def _lose_access(self, turn: _Turn, refusal: ProviderRefused) -> None:
        """With the end of our turn it is known: nobody asks with the same tokens again."""
        with suppress(*STORE_ERRORS):  # the time of the turn ends by itself
            async with self._resources.sessions.begin() as session:
                connection = await session.get(Connection, turn.owner.connection_id, with_for_update=True)
                if connection is None or connection.token_version != turn.version:
                    return
                connection.refreshing_until = None
                if connection.status not in LIVE:
                    return
                await audit.record(session, "tokens_refused", turn.owner, outcome="failure", reason=refusal.reason)
                provider = self._resources.providers.describe(turn.owner.provider)
                run = await SyncRunRepository(session).open_run(connection.id)
                RUNS.labels(turn.owner.provider, "lost_access").inc(run is not None)
                await lose_access(session, connection, provider, refusal.reason, run)

    async def _end_turn(self, connection_id: UUID, turn: _Turn) -> None:
        """The provider gave nothing: another may try at once."""
        with suppress(*STORE_ERRORS):  # the time of the turn ends by itself
            async with self._resources.sessions.begin() as session:
                await session.execute(
                    update(Connection)
                    .where(Connection.id == connection_id, Connection.refreshing_until == turn.until)
                    .values(refreshing_until=None)
                )


def _rotation(held: Tokens, answer: Tokens) -> Rotation:
    """Whether a provider sent a new refresh token, none, or the one that we have."""
    if answer.refresh_token is None:
        return "none"
    return "same" if answer.refresh_token == held.refresh_token else "new"
