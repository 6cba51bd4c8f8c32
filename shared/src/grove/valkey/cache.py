"""A user's answers, kept in Valkey. Without Valkey each is made anew."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog

from grove.valkey.client import VALKEY_ERRORS

log = structlog.get_logger()

_GENERATION_SECONDS = 24 * 3600


class UserCache:
    """One kind of answer. What was read before a change is never given after `forget`, however the two interleave:
    an answer is kept with the generation that was current before it was read, and `forget` begins a new one.
    A process that dies between its commit and `forget` leaves an old answer for `seconds` at most.
    """

    def __init__(self, valkey: Any, service: str, name: str, seconds: int) -> None:
        self._valkey = valkey
        self._prefix = f"{service}:cache:{name}"
        self._seconds = seconds

    async def get(self, user_id: UUID, read: Callable[[], Awaitable[str]]) -> str:
        """The kept answer, or the one that `read` gives."""
        try:
            generation, kept = await self._valkey.mget(self._generation(user_id), self._answer(user_id))
        except VALKEY_ERRORS as error:
            log.warning("cache.away", reason=str(error) or type(error).__name__)
            return await read()
        mark = f"{_text(generation)}\n"
        if kept is not None and _text(kept).startswith(mark):
            return _text(kept).removeprefix(mark)
        answer = await read()
        try:
            await self._valkey.set(self._answer(user_id), mark + answer, ex=self._seconds)
        except VALKEY_ERRORS as error:
            log.warning("cache.away", reason=str(error) or type(error).__name__)
        return answer

    async def forget(self, user_id: UUID) -> None:
        """After a change was committed."""
        try:
            async with self._valkey.pipeline(transaction=True) as pipeline:
                pipeline.incr(self._generation(user_id))
                pipeline.expire(self._generation(user_id), _GENERATION_SECONDS)
                await pipeline.execute()
        except VALKEY_ERRORS as error:
            log.warning("cache.away", reason=str(error) or type(error).__name__)

    def _generation(self, user_id: UUID) -> str:
        return f"{self._prefix}:{user_id}:generation"

    def _answer(self, user_id: UUID) -> str:
        return f"{self._prefix}:{user_id}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode() if isinstance(value, bytes) else str(value)
