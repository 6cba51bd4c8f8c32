"""The global token version as it is stored."""

import time
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

_COUNTER = "token_version"
LOOK_SECONDS = 0.25


class GlobalVersion:
    """Counts from 0; raising it ends everything that was given out before."""

    def __init__(self, database: AsyncDatabase[dict[str, object]]) -> None:
        self._counters = database["counters"]
        self._seen = 0
        self._looked_at = float("-inf")

    async def ensure(self) -> None:
        """Make it if there is none."""
        await self._counters.update_one({"_id": _COUNTER}, {"$setOnInsert": {"value": 0}}, upsert=True)

    async def current(self, transaction: AsyncClientSession | None = None) -> int:
        """As it is now: what is given out bears it, so that a raise meanwhile ends that too."""
        looked_at = time.monotonic()
        counter: Any = await self._counters.find_one({"_id": _COUNTER}, session=transaction)
        value = int(counter["value"]) if counter else 0
        if transaction is None:
            self._seen, self._looked_at = max(self._seen, value), looked_at
        return value

    async def minimum(self) -> int:
        """The least that counts, at most LOOK_SECONDS old: for what is asked at each request."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return self._seen
        return await self.current()

    async def increase(self, transaction: AsyncClientSession) -> int:
        """Raise it by one; the new value."""
        await self._counters.update_one({"_id": _COUNTER}, {"$inc": {"value": 1}}, session=transaction)
        return await self.current(transaction)
