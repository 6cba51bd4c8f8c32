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
from grove.postgres.engine import STORE_ERRORS
from grove_provider_sync.models import Connection
from grove_provider_sync.providers.interface import ProviderRefused, Tokens
from grove_provider_sync.providers.turns import calling_for
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens import audit, sealing
from grove_provider_sync.tokens.errors import TokensGone
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.revoking import queue
from grove_provider_sync.tokens.versions import are_alive

log = structlog.get_logger()

LOOK_SECONDS = 0.1
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
        except BaseException:
            await self._end_turn(connection_id, turn)
            raise
        return await self._keep(connection_id, turn, answer)

    async def _keep(self, connection_id: UUID, turn: _Turn, answer: Tokens) -> Tokens:
        """Store an answer, and only then let it be used."""
        rotation = _rotation(turn.held, answer)
        fresh = replace(answer, refresh_token=answer.refresh_token or turn.held.refresh_token)
        async with self._resources.sessions.begin() as session:
            connection = await session.get(Connection, connection_id, with_for_update=True)
            if connection is None or connection.token_version != turn.version or connection.sealed_tokens is None:
                log.warning("provider.tokens_overtaken", connection_id=str(connection_id), rotation_type=rotation)
                await queue(session, self._resources, turn.owner, fresh)
            else:
                sealing.store(self._cipher, connection, fresh)
                connection.refreshing_until = None
                await audit.record(session, "token_rotated", turn.owner, rotation_type=rotation)
                log.info("provider.token_rotated", connection_id=str(connection_id), rotation_type=rotation)
                if await are_alive(session, connection):
                    return fresh
        raise TokensGone  # taken away while we asked, or killed with all others of the provider

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
