"""What clients said they have: a resume does not repeat it, however old the id of that connection it comes with."""

import asyncio
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from grove.valkey.client import VALKEY_ERRORS
from grove_notification.live.frames import FrameId
from grove_notification.live.patience import Patience

log = structlog.get_logger()

QUESTIONS_AT_ONCE = 8
"""Under way to Valkey: thousands of clients must not open as many connections to it."""

# KEYS[1]: a connection's stream; ARGV: a position, seconds to keep it. Only ever upwards.
_RAISE = """
local held = tonumber(redis.call('GET', KEYS[1]) or '-1')
if tonumber(ARGV[1]) > held then redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


class Acks:
    """Kept in Valkey as long as frames are. Without it a resume goes by the client's id alone."""

    def __init__(self, valkey: Redis, *, hours: int) -> None:
        self._valkey = valkey
        self._seconds = hours * 3600
        self._raise: Any = valkey.register_script(_RAISE)
        self._patience = Patience()
        self._turns = asyncio.Semaphore(QUESTIONS_AT_ONCE)

    async def remember(self, user_id: UUID, frame: FrameId) -> None:
        """A client has everything up to there."""
        async with self._turns:
            if self._patience.resting:
                return
            try:
                await self._raise(keys=[_key(user_id, frame.stream)], args=[frame.position, self._seconds])
            except VALKEY_ERRORS as error:
                self._lost(error)

    async def last(self, user_id: UUID, stream: str) -> int:
        """Up to where a client said on that connection that it has everything, as far as that is known."""
        async with self._turns:
            if self._patience.resting:
                return 0
            try:
                return int(await self._valkey.get(_key(user_id, stream)) or 0)
            except VALKEY_ERRORS as error:
                self._lost(error)
                return 0

    def _lost(self, error: BaseException) -> None:
        self._patience.failed()
        log.warning("live.ack_lost", reason=str(error) or type(error).__name__)


def _key(user_id: UUID, stream: str) -> str:
    return f"notification:acked:{user_id}:{stream}"
