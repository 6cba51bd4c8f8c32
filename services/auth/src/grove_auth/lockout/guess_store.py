"""Where wrong passwords are counted: in Valkey, for all processes; without Valkey each process counts its own."""

import hashlib
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from redis.exceptions import NoScriptError

Outcome = Literal["right", "wrong", "void"]
"""How a try ended; `void`: the password was not looked at."""

NETWORK_SECONDS = 3600
ADDRESS_SECONDS = 86_400
RATE_SECONDS = 60
QUIET_SECONDS = 600
LOCAL_COUNTERS = 10_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many wrong passwords are too many: of a network in an hour, of the suite in a minute. 0: none are."""

    network: int
    suite: int


@dataclass(frozen=True, slots=True)
class Source:
    """Whose tries are counted together: all of an address, and all from a network."""

    address: str
    network: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted. `seconds`: until the network's count begins anew; `high`: everyone must solve a CAPTCHA."""

    granted: bool
    failed: int
    address: int
    high: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Alarms:
    """What the wrong password was one too many for."""

    network: bool = False
    suite: bool = False


class GuessStore(Protocol):
    """Counts tries."""

    async def look(self, source: Source, bounds: Bounds, *, take: bool) -> Counts:
        """The counts; with `take` a try of the network is begun, unless none is left."""
        ...

    async def end(self, source: Source, bounds: Bounds, outcome: Outcome) -> Alarms:
        """A try that was begun has ended."""
        ...

    async def forget(self, address: str) -> None:
        """An address begins anew."""
        ...


# KEYS: network, address, high. ARGV: the network's bound, its milliseconds, whether to take a try.
_LOOK = """
local held = redis.call('HMGET', KEYS[1], 'failed', 'pending')
local failed, pending = tonumber(held[1] or '0'), tonumber(held[2] or '0')
local left = redis.call('PTTL', KEYS[1])
local bound, granted = tonumber(ARGV[1]), 0
if bound == 0 or failed + pending < bound then granted = 1 end
if granted == 1 and ARGV[3] == '1' then
  redis.call('HINCRBY', KEYS[1], 'pending', 1)
  if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
end
return {granted, failed, tonumber(redis.call('GET', KEYS[2]) or '0'), redis.call('EXISTS', KEYS[3]), left}
"""

# KEYS: network, address, high, suite. ARGV: the network's bound, its milliseconds, outcome, the address's milliseconds,
# the suite's bound, its milliseconds, milliseconds until it is quiet. Returns {one too many of the network, the suite}.
_END = """
local pending = tonumber(redis.call('HGET', KEYS[1], 'pending') or '0')
if pending > 0 then redis.call('HINCRBY', KEYS[1], 'pending', -1) end
if ARGV[3] == 'right' then redis.call('DEL', KEYS[2]) end
if ARGV[3] ~= 'wrong' then return {0, 0} end
local failed = redis.call('HINCRBY', KEYS[1], 'failed', 1)
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local network, suite = 0, 0
if failed == tonumber(ARGV[1]) then network = 1 end
local bound = tonumber(ARGV[5])
if bound > 0 then
  local now = redis.call('TIME')
  now = now[1] * 1000 + math.floor(now[2] / 1000)
  redis.call('RPUSH', KEYS[4], string.format('%.0f', now))
  redis.call('LTRIM', KEYS[4], -bound, -1)
  redis.call('PEXPIRE', KEYS[4], ARGV[6])
  local first = tonumber(redis.call('LINDEX', KEYS[4], 0))
  if redis.call('LLEN', KEYS[4]) >= bound and now - first <= tonumber(ARGV[6]) then
    suite = 1 - redis.call('EXISTS', KEYS[3])
    redis.call('SET', KEYS[3], '1', 'PX', ARGV[7])
  end
end
return {network, suite}
"""


class ValkeyGuesses:
    """The counts of all processes."""

    def __init__(self, valkey: Any, prefix: str) -> None:
        self._valkey = valkey
        self._prefix = f"{prefix}:guesses"

    async def look(self, source: Source, bounds: Bounds, *, take: bool) -> Counts:
        """The counts; with `take` a try of the network is begun, unless none is left."""
        granted, failed, address, high, left = await self._run(
            _LOOK, self._keys(source)[:3], bounds.network, NETWORK_SECONDS * 1000, int(take)
        )
        return Counts(bool(granted), int(failed), int(address), bool(high), max(0, int(left)) / 1000)

    async def end(self, source: Source, bounds: Bounds, outcome: Outcome) -> Alarms:
        """A try that was begun has ended."""
        network, suite = await self._run(
            _END,
            self._keys(source),
            bounds.network,
            NETWORK_SECONDS * 1000,
            outcome,
            ADDRESS_SECONDS * 1000,
            bounds.suite,
            RATE_SECONDS * 1000,
            QUIET_SECONDS * 1000,
        )
        return Alarms(bool(network), bool(suite))

    async def forget(self, address: str) -> None:
        """An address begins anew."""
        await self._valkey.delete(f"{self._prefix}:address:{address}")

    def _keys(self, source: Source) -> list[str]:
        names = (f"network:{source.network}", f"address:{source.address}", "high", "suite")
        return [f"{self._prefix}:{name}" for name in names]

    async def _run(self, script: str, keys: list[str], *arguments: int | str) -> Any:
        digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self._valkey.evalsha(digest, len(keys), *keys, *arguments)
        except NoScriptError:  # once after each start of Valkey
            return await self._valkey.eval(script, len(keys), *keys, *arguments)


@dataclass(slots=True)
class _Count:
    until: float
    failed: int = 0
    pending: int = 0


class LocalGuesses:
    """The counts of this process, of the keys that were used last."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._wrong: deque[float] = deque()
        self._high_until = 0.0

    async def look(self, source: Source, bounds: Bounds, *, take: bool) -> Counts:
        """The counts; with `take` a try of the network is begun, unless none is left."""
        moment = time.monotonic()
        network = self._count(f"network:{source.network}", NETWORK_SECONDS)
        granted = not bounds.network or network.failed + network.pending < bounds.network
        network.pending += granted and take
        address = self._count(f"address:{source.address}", ADDRESS_SECONDS).failed
        return Counts(granted, network.failed, address, moment < self._high_until, network.until - moment)

    async def end(self, source: Source, bounds: Bounds, outcome: Outcome) -> Alarms:
        """A try that was begun has ended."""
        network = self._count(f"network:{source.network}", NETWORK_SECONDS)
        network.pending = max(0, network.pending - 1)
        if outcome == "right":
            await self.forget(source.address)
        if outcome != "wrong":
            return Alarms()
        network.failed += 1
        address = self._count(f"address:{source.address}", ADDRESS_SECONDS)
        address.failed += 1
        address.until = time.monotonic() + ADDRESS_SECONDS
        return Alarms(network.failed == bounds.network, self._one_too_many(bounds.suite))

    async def forget(self, address: str) -> None:
        """An address begins anew."""
        self._counts.pop(f"address:{address}", None)

    def _one_too_many(self, bound: int) -> bool:
        moment = time.monotonic()
        self._wrong.append(moment)
        while len(self._wrong) > bound:
            self._wrong.popleft()
        if not bound or len(self._wrong) < bound or moment - self._wrong[0] > RATE_SECONDS:
            return False
        before, self._high_until = self._high_until, moment + QUIET_SECONDS
        return before <= moment

    def _count(self, key: str, seconds: int) -> _Count:
        moment = time.monotonic()
        found = self._counts.get(key)
        if found is None or found.until <= moment:
            found = self._counts[key] = _Count(moment + seconds)
        self._counts.move_to_end(key)
        if len(self._counts) > LOCAL_COUNTERS:
            self._counts.popitem(last=False)
        return found
