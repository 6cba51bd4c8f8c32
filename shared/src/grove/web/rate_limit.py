"""Rate limits: token buckets of N refilled evenly, kept in Valkey; without Valkey each process keeps its own."""

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import NoScriptError

from grove.core.context import current_context
from grove.core.errors import RateLimited
from grove.observability.metrics import RATE_LIMIT_FALLBACK, RATE_LIMITED
from grove.valkey.client import VALKEY_ERRORS

log = structlog.get_logger()

DEVELOPMENT_FACTOR = 100
LOCAL_BUCKETS = 10_000
VALKEY_PAUSE_SECONDS = 5.0

# KEYS[1]: the bucket; ARGV: capacity, refill per microsecond, tokens to take (fewer than 0: to give back). Returns
# {allowed, tokens left (floor), µs to the next}.
_BUCKET = """
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local capacity, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 't', 'n')
local tokens = capacity
if held[1] then tokens = math.min(capacity, tonumber(held[2]) + (now - tonumber(held[1])) * rate) end
local allowed = 0
if tokens >= wanted then tokens = math.min(capacity, tokens - wanted); allowed = 1 end
redis.call('HSET', KEYS[1], 't', string.format('%.0f', now), 'n', string.format('%.6f', tokens))
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - tokens) / rate / 1000) + 1000)
local wait = 0
if tokens < 1 then wait = math.ceil((1 - tokens) / rate) end
return {allowed, math.floor(tokens), wait}
"""
_BUCKET_SHA = hashlib.sha1(_BUCKET.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Limit:
    """`amount` requests in `seconds`, under a name that appears in headers and metrics."""

    name: str
    amount: int
    seconds: float

    def scaled(self, factor: int) -> "Limit":
        """The limit for a profile."""
        return Limit(self.name, self.amount * factor, self.seconds)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a bucket said. `reset` in seconds until a further request fits."""

    allowed: bool
    remaining: int
    reset: float


class LocalBuckets:
    """Token buckets of this process."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, limit: Limit, wanted: int = 1) -> Decision:
        """Take a token, or give one back by taking -1."""
        moment = time.monotonic()
        rate = limit.amount / limit.seconds
        last, tokens = self._buckets.get(key, (moment, float(limit.amount)))
        tokens = min(limit.amount, tokens + (moment - last) * rate)
        allowed = tokens >= wanted
        tokens = min(limit.amount, tokens - wanted) if allowed else tokens
        self._buckets[key] = (moment, tokens)
        self._buckets.move_to_end(key)
        if len(self._buckets) > LOCAL_BUCKETS:
            self._buckets.popitem(last=False)
        return Decision(allowed, int(tokens), max(0.0, (1 - tokens) / rate))


class RateLimiter:
    """Buckets of one service, under its key prefix."""

    def __init__(self, valkey: Any, prefix: str, *, factor: int = 1) -> None:
        self._valkey = valkey
        self._prefix = prefix
        self._factor = factor
        self._local = LocalBuckets()
        self._skip_until = 0.0

    async def enforce(self, limit: Limit, key: str) -> None:
        """Count one request. Raises RateLimited; sets the RateLimit headers of the answer either way."""
        scaled = limit.scaled(self._factor)
        decision = await self._decide(scaled, key, 1)
        context = current_context()
        if context is not None:
            context.response_headers["RateLimit-Policy"] = f'"{limit.name}";q={scaled.amount};w={scaled.seconds}'
            context.response_headers["RateLimit"] = (
                f'"{limit.name}";r={decision.remaining};t={max(0, round(decision.reset))}'
            )
        if not decision.allowed:
            RATE_LIMITED.labels(limit.name).inc()
            raise RateLimited(-int(-decision.reset // 1))

    async def take(self, limit: Limit, key: str) -> Decision:
        """Count one of something that is not a request: nothing is raised and no header set."""
        return await self._decide(limit.scaled(self._factor), key, 1)

    async def give_back(self, limit: Limit, key: str) -> None:
        """What was counted by `take` did not happen after all."""
        await self._decide(limit.scaled(self._factor), key, -1)

    async def _decide(self, limit: Limit, key: str, wanted: int) -> Decision:
        bucket = f"{self._prefix}:limit:{limit.name}:{key}"
        if time.monotonic() >= self._skip_until:
            try:
                rate = limit.amount / limit.seconds / 1e6
                allowed, remaining, wait = await self._take(bucket, limit.amount, rate, wanted)
                return Decision(bool(allowed), int(remaining), int(wait) / 1e6)
            except VALKEY_ERRORS as error:
                self._skip_until = time.monotonic() + VALKEY_PAUSE_SECONDS
                log.warning("rate_limit.local", reason=str(error) or type(error).__name__)
        RATE_LIMIT_FALLBACK.labels(limit.name).inc()
        return self._local.take(bucket, limit, wanted)

    async def _take(self, bucket: str, capacity: int, rate: float, wanted: int) -> Any:
        try:
            return await self._valkey.evalsha(_BUCKET_SHA, 1, bucket, capacity, rate, wanted)
        except NoScriptError:  # once after each start of Valkey
            return await self._valkey.eval(_BUCKET, 1, bucket, capacity, rate, wanted)
