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

    async def send(self, *frames: Frame) -> None:
        """Written frames, to every open connection of their users: in one round trip, however many they are."""
        written = [frame for frame in frames if frame.position]  # others' users were deleted in the same transaction
        if not written:
            return
        if self._patience.resting:
            self._left_out += len(written)
            LOST.inc(len(written))
            return
        if self._left_out:
            log.warning("live.pushes_left_out", pushes=self._left_out)
            self._left_out = 0
        try:
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for frame in written:
                    pipeline.publish(CHANNEL, _push(frame))
                await pipeline.execute()
        except VALKEY_ERRORS as error:
            self._patience.failed()
            LOST.inc(len(written))
            log.warning("live.push_lost", frames=len(written), reason=str(error) or type(error).__name__)


def _push(frame: Frame) -> str:
    content = {"position": frame.position, "type": frame.type, "data": frame.data}
    return json.dumps({"user_id": str(frame.user_id), "frame": content})
