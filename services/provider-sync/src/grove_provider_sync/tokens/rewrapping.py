"""After a rotation of the key ring: once an hour what is sealed under an older key is wrapped in the newest one.

Only the data keys are sealed anew; the tokens are not decrypted, but for values from before envelopes. The old key can
go from the ring once `tokens.rewrapped` is logged with nothing rewrapped and nothing unreadable.
"""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy import select, update

from grove.core.recurring import every
from grove.postgres.engine import STORE_ERRORS
from grove.security.encryption import DecryptionFailed
from grove_provider_sync.models import Connection, TokenRevocation
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens import revoking, sealing

log = structlog.get_logger()

INTERVAL_SECONDS = 3600.0
AT_ONCE = 500
"""Rows that are read together."""

H = TypeVar("H", Connection, TokenRevocation)


class TokenRewrapping:
    """Runs in every worker; running twice does no harm."""

    def __init__(self, resources: Resources) -> None:
        self._sessions = resources.sessions
        self._cipher = resources.token_cipher
        self._told: set[UUID] = set()
        self._unreadable = 0

    async def run(self) -> None:
        """Rewrap until cancelled."""
        await every(INTERVAL_SECONDS, self.rewrap, away=STORE_ERRORS)

    async def rewrap(self) -> int:
        """Once; how many values are under the newest key now that were not."""
        self._unreadable = 0
        rewrapped = await self._table(Connection, sealing.purpose_of)
        rewrapped += await self._table(TokenRevocation, lambda row: revoking.purpose_of(row.id))
        log.info("tokens.rewrapped", rewrapped=rewrapped, unreadable=self._unreadable)
        return rewrapped

    async def _table(self, table: type[H], purpose_of: Callable[[H], str]) -> int:
        rewrapped, last = 0, UUID(int=0)
        while True:
            piece = select(table).where(table.id > last, table.sealed_tokens.is_not(None))
            async with self._sessions() as session:
                rows = (await session.scalars(piece.order_by(table.id).limit(AT_ONCE))).all()
            for row in rows:
                rewrapped += await self._one(table, row.id, row.sealed_tokens or "", purpose_of(row))
            if len(rows) < AT_ONCE:
                return rewrapped
            last = rows[-1].id

    async def _one(self, table: type[H], row_id: UUID, sealed: str, purpose: str) -> bool:
        """Rewrap one value, in a transaction of its own, unless it was stored anew since it was read."""
        if self._cipher.is_current(sealed):
            return False
        try:
            fresh = self._cipher.rewrap(sealed, purpose=purpose)
        except DecryptionFailed as error:
            self._note_unreadable(row_id, error)
            return False
        async with self._sessions.begin() as session:
            stored = await session.execute(
                update(table)
                .where(table.id == row_id, table.sealed_tokens == sealed)
                .values(sealed_tokens=fresh)
                .returning(table.id)
            )
            return stored.first() is not None

    def _note_unreadable(self, row_id: UUID, error: DecryptionFailed) -> None:
        """Told once in each process: whoever needs the value asks its user to connect again."""
        self._unreadable += 1
        if row_id not in self._told:
            self._told.add(row_id)
            log.error("tokens.unreadable", id=str(row_id), error=str(error))
