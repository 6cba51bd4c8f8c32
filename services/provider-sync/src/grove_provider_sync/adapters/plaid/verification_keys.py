"""The keys that Plaid signs webhooks with, fetched by their ids and kept for a while.

Anybody can send a webhook that names a key nobody has: such ids are remembered, and new ones are looked up only so
often, so that strangers can't make us spend our calls. A key that was good once is looked up again whatever they do.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from grove_provider_sync.adapters.plaid.failures import KeyUnknown
from grove_provider_sync.adapters.plaid.published import VerificationKey
from grove_provider_sync.providers.interface import NoticeRefused

FRESH_SECONDS = 900.0
UNKNOWN_SECONDS = 600.0
MAX_KEYS = 50
LOOKUPS, LOOKUP_SECONDS = 200, 60.0
"""So many ids that were never good are looked up in so long."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was found; None: there is no such key, or it is not used any more."""

    key: ECKey | None
    until: float


class VerificationKeys:
    """Those that this process met. `fetch` asks Plaid; `clock` counts seconds."""

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[VerificationKey]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._good: dict[str, _Kept] = {}
        self._bad: dict[str, _Kept] = {}
        self._lookups: deque[float] = deque()
        self._asking: dict[str, asyncio.Task[ECKey | None]] = {}

    async def get(self, key_id: str) -> ECKey:
        """The key. Raises NoticeRefused when there is none, or what asking Plaid raises."""
        moment = self._clock()
        kept = self._good.get(key_id) or self._bad.get(key_id)
        if kept is not None and kept.until > moment:
            found = kept.key
        else:
            found = await asyncio.shield(self._lookup(key_id, moment))
        if found is None:
            raise NoticeRefused
        return found

    def _lookup(self, key_id: str, moment: float) -> asyncio.Task[ECKey | None]:
        """One for all that wait for the same key."""
        asking = self._asking.get(key_id)
        if asking is None:
            if key_id not in self._good:
                self._count(moment)
            asking = self._asking[key_id] = asyncio.create_task(self._ask(key_id))
            asking.add_done_callback(lambda _: self._asking.pop(key_id, None))
        return asking

    def _count(self, moment: float) -> None:
        while self._lookups and self._lookups[0] <= moment - LOOKUP_SECONDS:
            self._lookups.popleft()
        if len(self._lookups) >= LOOKUPS:
            raise NoticeRefused
        self._lookups.append(moment)

    async def _ask(self, key_id: str) -> ECKey | None:
        try:
            found = _usable(key_id, await self._fetch(key_id))
        except KeyUnknown:
            found = None
        moment = self._clock()
        self._good.pop(key_id, None)
        self._bad = {each: kept for each, kept in self._bad.items() if kept.until > moment}
        if found is None:
            self._bad[key_id] = _Kept(None, moment + UNKNOWN_SECONDS)
            return None
        while len(self._good) >= MAX_KEYS:
            del self._good[next(iter(self._good))]
        self._good[key_id] = _Kept(found, moment + FRESH_SECONDS)
        return found


def _usable(key_id: str, key: VerificationKey) -> ECKey | None:
    """An ES256 key with that id which Plaid has not put away."""
    if (key.kid, key.kty, key.alg, key.crv) != (key_id, "EC", "ES256", "P-256") or key.expired_at is not None:
        return None
    try:
        return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": key.x, "y": key.y})
    except (JoseError, ValueError):
        return None
