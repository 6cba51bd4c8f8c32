"""Sending a frame to every api replica, by Valkey's pub/sub."""

import json
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from grove.core.ids import new_id

CHANNEL = "notification:push"


class LivePush:
    """Best effort: who was not reached reads the row, or resumes."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey

    async def send(self, user_id: UUID, kind: str, data: dict[str, Any], *, frame_id: str | None = None) -> None:
        """To every open connection of the user."""
        frame = {"id": frame_id or str(new_id()), "type": kind, "data": data}
        await self._valkey.publish(CHANNEL, json.dumps({"user_id": str(user_id), "frame": frame}))
