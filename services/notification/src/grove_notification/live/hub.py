"""The open connections of one api replica, and the pushes that reach them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import structlog
from prometheus_client import Gauge
from redis.asyncio import Redis

from grove.valkey.client import VALKEY_ERRORS
from grove_notification.live.push import CHANNEL

log = structlog.get_logger()

OPEN = Gauge("grove_live_connections", "Open live connections of this process")


class Listener(Protocol):
    """An open connection, as the hub sees it."""

    def offer(self, frame: dict[str, Any]) -> None:
        """Take a frame, without waiting."""
        ...

    def catch_up(self) -> None:
        """Pushes may have been missed: look into the store."""
        ...


class Hub:
    """Hands pushes to the connections of their user."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._listeners: dict[UUID, set[Listener]] = {}
        self.subscribed = False

    def join(self, user_id: UUID, listener: Listener) -> Callable[[], None]:
        """Add a connection; call what is returned when it ends."""
        self._listeners.setdefault(user_id, set()).add(listener)
        OPEN.inc()

        def leave() -> None:
            OPEN.dec()
            of_user = self._listeners[user_id]
            of_user.discard(listener)
            if not of_user:
                del self._listeners[user_id]

        return leave

    async def run(self) -> None:
        """Receive pushes until cancelled; after a loss of Valkey every connection catches up from the store."""
        while True:
            try:
                async with self._valkey.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    self.subscribed = True
                    for listener in [one for many in self._listeners.values() for one in many]:
                        listener.catch_up()
                    await self._receive(pubsub)
            except VALKEY_ERRORS as error:
                log.warning("live.valkey_lost", error=str(error) or type(error).__name__)
            finally:
                self.subscribed = False
            await asyncio.sleep(0.5)

    async def _receive(self, pubsub: Any) -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=10)
            if message is None:
                await pubsub.ping()  # a silent connection may be a lost one
                continue
            if message["type"] != "message":
                continue
            push = json.loads(message["data"])
            for listener in tuple(self._listeners.get(UUID(push["user_id"]), ())):
                listener.offer(push["frame"])
