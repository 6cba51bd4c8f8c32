"""So many at once, some more who wait for their turn, and 503 for the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grove.core.errors import ServiceUnavailable

RETRY_AFTER_SECONDS = 2


class Turns:
    """`at_once` may work, `most` may work or wait."""

    def __init__(self, at_once: int, most: int) -> None:
        self.most = most
        self._taken = 0
        self._free = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Work in the block, when it is your turn. Raises ServiceUnavailable when too many wait."""
        if self._taken >= self.most:
            raise ServiceUnavailable(
                "Too many sign-ins at once. Try again in a moment.", retry_after=RETRY_AFTER_SECONDS
            )
        self._taken += 1
        try:
            async with self._free:
                yield
        finally:
            self._taken -= 1
