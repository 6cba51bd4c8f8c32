"""Sending frames to every api replica, by Valkey's pub/sub."""

import json
from typing import Any
from uuid import UUID

import structlog
from redis.asyncio import Redis

from grove.valkey.client import VALKEY_ERRORS
from grove_notification.live.patience import Patience
from grove_notification.live.stream import Frame

log = structlog.get_logger()

CHANNEL = "notification:push"


class LivePush:
    """Best effort: a connection that was not reached finds the gap in the numbers, or resumes."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._patience = Patience()

    async def send(self, frame: Frame) -> None:
        """A written frame, to every open connection of its user."""
        if frame.position:  # 0: its user was deleted in the transaction that wanted to show it
            content = {"position": frame.position, "type": frame.type, "data": frame.data}
            await self._publish(frame.user_id, {"frame": content})

    async def count(self, user_id: UUID) -> None:
        """How many are unread is another number now."""
        await self._publish(user_id, {})

    async def _publish(self, user_id: UUID, message: dict[str, Any]) -> None:
        if self._patience.resting:
            return
        try:
            await self._valkey.publish(CHANNEL, json.dumps({"user_id": str(user_id), **message}))
        except VALKEY_ERRORS as error:
            self._patience.failed()
            log.warning("live.push_lost", reason=str(error) or type(error).__name__)
