"""Server-sent events: the same over plain HTTP.

A browser that connects again by itself comes with a ticket that was used, and is refused: the page has to make a new
one, as it has to each time its token ends. So it is not told to come back by itself; the route says how a page does.
"""

import asyncio
import json
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from grove.core.errors import PayloadTooLarge
from grove.security.principal import Principal
from grove_notification.live.closing import ABORT_SECONDS, CLOSE_SECONDS, abort_of
from grove_notification.live.connection import BODY, Connection, Ended, Ending
from grove_notification.live.frames import Message
from grove_notification.live.joining import Joining
from grove_notification.live.subscriber import Subscriber


class EventStream(Response):
    """Joins when it is sent: what is refused then is an answer of its own.

    The last of its connection: a proxy would send others' requests over it, which would be cut with a slow reader.
    """

    media_type = "text/event-stream"

    def __init__(self, joining: Joining) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Connection": "close"})
        del self.headers["content-length"]
        self._joining = joining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until one side ends it."""

        def connect(principal: Principal, subscriber: Subscriber, ping_seconds: float) -> Connection:
            return EventConnection(scope, receive, send, principal, subscriber, ping_seconds=ping_seconds)

        async with self._joining.joined(connect) as connection:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await connection.run()


class EventConnection(Connection):
    """An answer that goes on."""

    transport = "sse"

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        principal: Principal,
        subscriber: Subscriber,
        *,
        ping_seconds: float,
    ) -> None:
        super().__init__(principal, subscriber, ping_seconds=ping_seconds)
        self._scope = scope
        self._take = receive
        self._give = send

    async def _send(self, message: Message) -> None:
        await self._give({"type": "http.response.body", "body": message.event.encode(), "more_body": True})

    async def _receive(self) -> None:
        try:
            while (await self._take())["type"] != "http.disconnect":
                continue
        except PayloadTooLarge:
            raise Ended(BODY) from None

    async def _close(self, ending: Ending) -> None:
        abort = abort_of(self._scope)
        said: Any = json.dumps({"code": ending.code, "reason": ending.words})
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                body = f"event: close\ndata: {said}\n\n".encode()
                await self._give({"type": "http.response.body", "body": body, "more_body": False})
        except TimeoutError:
            abort()  # it does not read at all
        else:
            # A client that does not read on would keep what is buffered for it.
            asyncio.get_running_loop().call_later(ABORT_SECONDS, abort)

    def _is_gone(self, error: Exception) -> bool:
        return isinstance(error, OSError)
