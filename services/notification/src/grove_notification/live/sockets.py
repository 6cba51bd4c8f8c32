"""A WebSocket."""

import asyncio
import hashlib
import json
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect
from uvicorn.protocols.utils import ClientDisconnected

from grove.core.allowance import Allowance
from grove.core.errors import GroveError, Unauthorized
from grove.security.api_keys import is_api_key
from grove.security.principal import Principal
from grove.web.auth import Authenticator
from grove_notification.live.acks import Acks
from grove_notification.live.closing import ABORT_SECONDS, CLOSE_SECONDS, abort_of
from grove_notification.live.connection import BAD_MESSAGE, BAD_TOKEN, TOO_MUCH, UNKNOWN, Connection, Ended, Ending
from grove_notification.live.frames import FrameId, Message
from grove_notification.live.signing_in import SCOPE
from grove_notification.live.subscriber import Subscriber

MESSAGES_AT_ONCE = 500
"""A client that acknowledges each frame of a burst is not cut at once."""
MESSAGES_PER_SECOND = 20
TOKEN_COSTS = 11
"""As many messages: a renewed token is verified, which takes a multiple of what anything else does."""


class SocketConnection(Connection):
    """Takes acknowledgements and renewed tokens as well."""

    transport = "websocket"

    def __init__(
        self,
        socket: WebSocket,
        principal: Principal,
        subscriber: Subscriber,
        *,
        ping_seconds: float,
        acks: Acks,
        authenticator: Authenticator,
    ) -> None:
        super().__init__(principal, subscriber, ping_seconds=ping_seconds)
        self._socket = socket
        self._acks = acks
        self._authenticator = authenticator
        self._allowance = Allowance(at_once=MESSAGES_AT_ONCE, per_second=MESSAGES_PER_SECOND)
        self._renewed_by = b""

    async def _send(self, message: Message) -> None:
        await self._socket.send_text(message.json)

    async def _receive(self) -> None:
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            await asyncio.sleep(0)  # however fast it sends, others have their turn
            self._spend(1)
            message = _parsed(received.get("text"))
            token, ack = message.get("token"), message.get("ack")
            if isinstance(token, str):
                await self._renew(token)
            elif isinstance(ack, str):
                await self._acknowledge(FrameId.parse(ack))
            else:
                raise Ended(BAD_MESSAGE)

    async def _acknowledge(self, frame: FrameId | None) -> None:
        """What is not a frame of this connection, as one of the connection before it, says nothing here."""
        if frame is not None and frame.stream == self.subscriber.stream and frame.position <= self.subscriber.last:
            await self._acks.remember(self.principal.user_id, frame)

    def _spend(self, amount: int) -> None:
        if not self._allowance.take(amount):
            raise Ended(TOO_MUCH)

    async def _renew(self, token: str) -> None:
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        if digest == self._renewed_by and not is_api_key(token):  # whose sign-in ends later each time
            return  # it is the present one
        self._spend(TOKEN_COSTS - 1)  # as a message it counted already
        try:
            renewed = await self._authenticator.principal(token)
        except Unauthorized:
            raise Ended(BAD_TOKEN) from None
        except GroveError:
            raise Ended(UNKNOWN) from None
        if renewed.user_id != self.principal.user_id or not renewed.has(SCOPE):
            raise Ended(BAD_TOKEN)
        self.renew(renewed)
        self._renewed_by = digest

    async def _close(self, ending: Ending) -> None:
        abort = abort_of(self._socket.scope)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close(ending.code, ending.words)
        except TimeoutError:
            abort()  # it does not read at all
        except Exception as error:
            if not self._is_gone(error):
                raise
        else:
            # A client that does not read on would keep what is buffered for it.
            asyncio.get_running_loop().call_later(ABORT_SECONDS, abort)

    def _is_gone(self, error: Exception) -> bool:
        return isinstance(error, WebSocketDisconnect | ClientDisconnected | RuntimeError | OSError)


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        message = json.loads(text or "")
    except (ValueError, RecursionError):
        raise Ended(BAD_MESSAGE) from None
    if not isinstance(message, dict):
        raise Ended(BAD_MESSAGE)
    return message
