"""Sending frames to every api replica, by Valkey's pub/sub."""

import json

import structlog
from redis.asyncio import Redis

from grove.valkey.client import VALKEY_ERRORS
from grove_notification.live.metrics import LOST
from grove_notification.live.patience import Patience
from grove_notification.live.stream import Frame

log = structlog.get_logger()

CHANNEL = "notification:push"


class LivePush:
    """Best effort: each frame is in the store, numbered. A connection that a push did not reach finds the gap at the
    next one, at the hub's next look, or when it resumes."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._patience = Patience()
        self._left_out = 0

    async def send(self, frame: Frame) -> None:
        """A written frame, to every open connection of its user."""
        if not frame.position:  # its user was deleted in the transaction that wanted to show it
            return
        if self._patience.resting:
            self._left_out += 1
            LOST.inc()
            return
        if self._left_out:
            log.warning("live.pushes_left_out", pushes=self._left_out)
            self._left_out = 0
        content = {"position": frame.position, "type": frame.type, "data": frame.data}
        try:
            await self._valkey.publish(CHANNEL, json.dumps({"user_id": str(frame.user_id), "frame": content}))
        except VALKEY_ERRORS as error:
            self._patience.failed()
            LOST.inc()
            log.warning("live.push_lost", reason=str(error) or type(error).__name__)
