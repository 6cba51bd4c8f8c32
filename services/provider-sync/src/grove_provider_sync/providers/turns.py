"""When a provider may be called: its budgets, and the pauses it asked for, shared by all processes in Valkey.

Without Valkey each process keeps its own.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import structlog

from grove.valkey.client import VALKEY_ERRORS
from grove.web.rate_limit import Limit, RateLimiter
from grove_provider_sync.providers.interface import Budget, Description, ProviderThrottled
from grove_provider_sync.providers.metrics import PAUSES

log = structlog.get_logger()

_CONNECTION: ContextVar[UUID | None] = ContextVar("provider_call_for", default=None)


@contextmanager
def calling_for(connection_id: UUID | None) -> Iterator[None]:
    """Calls made within count towards the connection's budget and keep its pauses."""
    token = _CONNECTION.set(connection_id)
    try:
        yield
    finally:
        _CONNECTION.reset(token)


def bucket(name: str, budget: Budget) -> Limit:
    """The token bucket that lets no more than the budget through in any window of its length.

    A bucket of size `c` that refills at rate `r` lets `c + floor(r × seconds)` through at worst. A quarter of the
    budget may come at once, the rest evenly.
    """
    size = max(1, budget.calls // 4)
    rate = (budget.calls - size + 0.9) / budget.seconds
    return Limit(name, size, size / rate)


class Turns:
    """Waits for a turn, up to `wait_seconds`; beyond that the caller is told when to come back."""

    def __init__(self, valkey: Any, prefix: str, *, wait_seconds: float) -> None:
        self._valkey = valkey
        self._prefix = prefix
        self._limiter = RateLimiter(valkey, prefix)
        self._wait = wait_seconds
        self._paused: dict[str, float] = {}

    async def take(self, provider: Description) -> None:
        """Count one call to the provider. Raises ProviderThrottled when its turn does not come soon."""
        until = time.monotonic() + self._wait
        while (seconds := await self._seconds(provider)) > 0:
            if time.monotonic() + seconds > until:
                raise ProviderThrottled(seconds)
            await asyncio.sleep(seconds)

    async def pause(self, provider: Description, seconds: float, *, whole: bool) -> None:
        """The provider asked for it: nobody calls until it is over; unless `whole`, for the present connection."""
        key = self._pauses(provider)[0 if whole else -1]
        self._paused[key] = time.monotonic() + seconds
        PAUSES.labels(provider.key).inc()
        log.warning("provider.paused", provider=provider.key, seconds=round(seconds), whole=whole)
        try:
            await self._valkey.set(key, "1", px=max(1, round(seconds * 1000)))
        except VALKEY_ERRORS as error:
            log.warning("provider.pause_not_shared", provider=provider.key, reason=str(error) or type(error).__name__)

    async def seconds_paused(self, provider: Description) -> float:
        """How long a pause goes on, of all calls or of those for the present connection; 0 without one."""
        moment, keys = time.monotonic(), self._pauses(provider)
        self._paused = {key: until for key, until in self._paused.items() if until > moment}
        own = [self._paused[key] - moment for key in keys if key in self._paused]
        if own:
            return max(own)
        try:
            pipeline = self._valkey.pipeline(transaction=False)
            for key in keys:
                pipeline.pttl(key)
            left: list[int] = await pipeline.execute()
        except VALKEY_ERRORS:
            return 0.0
        return max(0, *left) / 1000

    async def _seconds(self, provider: Description) -> float:
        """0, and the call is counted; or the seconds until it is worth asking again."""
        paused = await self.seconds_paused(provider)
        if paused > 0:
            return paused
        whole = bucket("provider-calls", provider.whole) if provider.whole else None
        if whole is not None:
            decision = await self._limiter.take(whole, provider.key)
            if not decision.allowed:
                return max(decision.reset, 0.001)
        connection_id = _CONNECTION.get()
        if provider.each is None or connection_id is None:
            return 0.0
        decision = await self._limiter.take(bucket("connection-calls", provider.each), f"{connection_id}")
        if decision.allowed:
            return 0.0
        if whole is not None:
            await self._limiter.give_back(whole, provider.key)
        return max(decision.reset, 0.001)

    def _pauses(self, provider: Description) -> list[str]:
        connection_id = _CONNECTION.get()
        whole = f"{self._prefix}:pause:{provider.key}"
        return [whole] if connection_id is None else [whole, f"{whole}:{connection_id}"]
