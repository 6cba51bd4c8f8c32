"""Sending a frame to every api replica, by Valkey's pub/sub."""

import json
import time
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from grove.core.ids import new_id
from grove.valkey.client import VALKEY_ERRORS

log = structlog.get_logger()

CHANNEL = "notification:push"
PAUSE_SECONDS = 1.0
"""A Valkey that hangs is left alone this long, so that it does not hold up the events behind."""


class LivePush:
    """Best effort: who was not reached reads the row, or resumes."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._skip_until = 0.0

    async def send(self, user_id: UUID, kind: str, data: dict[str, Any], *, frame_id: str | None = None) -> None:
        """To every open connection of the user."""
        if time.monotonic() < self._skip_until:
            return
        frame = {"id": frame_id or str(new_id()), "type": kind, "data": data}
        try:
            await self._valkey.publish(CHANNEL, json.dumps({"user_id": str(user_id), "frame": frame}))
        except VALKEY_ERRORS as error:
            self._skip_until = time.monotonic() + PAUSE_SECONDS
            log.warning("live.push_lost", reason=str(error) or type(error).__name__)
