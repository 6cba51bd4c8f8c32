"""After all access to a provider was ended: takes the dead tokens from their connections, and tells the users."""

from datetime import timedelta
from uuid import UUID

import structlog

from grove.core.clock import now
from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove_provider_sync.admin.repository import RevocationRepository
from grove_provider_sync.connections.linking import CLAIM_MARGIN_SECONDS
from grove_provider_sync.models import ProviderState
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens.killing import kill

log = structlog.get_logger()

LOOK_SECONDS = 1.0
AT_ONCE = 100
SETTLE_SECONDS = 60.0
"""How much longer than a callback takes one may be on its way that began before all access was ended."""


class DeadTokenSweep:
    """Any number of workers may sweep. Dead tokens are used by nobody meanwhile (tokens/versions.py).

    A connection has a transaction of its own: who holds one and waits for no other is in nobody's way.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settled_after = timedelta(
            seconds=resources.settings.callback_seconds + CLAIM_MARGIN_SECONDS + SETTLE_SECONDS
        )
        self._clean: dict[str, int] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        await every(LOOK_SECONDS, self.sweep_all, away=STORE_ERRORS)

    async def sweep_all(self) -> None:
        """Sweep until nothing is left."""
        while await self.sweep():
            continue

    async def sweep(self) -> int:
        """Up to AT_ONCE connections of each provider; how many."""
        async with self._resources.sessions() as session:
            states = await RevocationRepository(session).states()
        return sum([await self._sweep(state) for state in states if not self._is_clean(state)])

    async def _sweep(self, state: ProviderState) -> int:
        looked = now()
        async with self._resources.sessions() as session:
            revocations = RevocationRepository(session)
            found = await revocations.older(state.provider, state.token_version, limit=AT_ONCE)
            settled = looked - state.revoked_at > self._settled_after
            if settled and not found and not await revocations.count_older(state.provider, state.token_version):
                self._clean[state.provider] = state.token_version
        return sum([await self._try(connection_id, state) for connection_id in found])

    async def _try(self, connection_id: UUID, state: ProviderState) -> bool:
        try:
            return await self._kill(connection_id, state)
        except STORE_ERRORS:
            raise
        except Exception:  # one that can't be killed keeps no other from it
            log.exception("dead_tokens.broken", connection_id=str(connection_id))
            return False

    async def _kill(self, connection_id: UUID, state: ProviderState) -> bool:
        async with self._resources.sessions.begin() as session:
            revocations = RevocationRepository(session)
            connection = await revocations.lock_older(connection_id, state.provider, state.token_version)
            if connection is None:
                return False
            await kill(session, self._resources, connection, by=state.revoked_by, reason=state.reason)
        return True

    def _is_clean(self, state: ProviderState) -> bool:
        return self._clean.get(state.provider) == state.token_version
