"""One WebSocket: frames out, acknowledgements and renewed tokens in, an end when the sign-in ends."""

import asyncio
import json
from typing import Any
from uuid import UUID

import structlog
from fastapi import WebSocket, WebSocketDisconnect

from grove.core.clock import now
from grove.core.errors import GroveError
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.security.principal import Principal
from grove_notification.notifications.repository import NotificationQueries
from grove_notification.resources import Resources

log = structlog.get_logger()

SIGN_IN_ENDED = 4401
TOO_SLOW = 4408
BAD_MESSAGE = 4400
TRY_AGAIN = 1013
SIGN_IN_CHECK_SECONDS = 0.4
UNKNOWN_SECONDS = 3.0
"""How long a connection lives on while nobody can say whether its sign-in still counts."""
SEND_SECONDS = 10.0


class Closed(Exception):
    """Ends the connection with a code and a reason for the client."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class LiveConnection:
    """Lives as long as its WebSocket."""

    def __init__(self, socket: WebSocket, principal: Principal, resources: Resources, resume_from: UUID | None) -> None:
        self._socket = socket
        self._principal = principal
        self._resources = resources
        self._last_seen = resume_from
        self._frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue(resources.settings.live_queue)
        self._behind = asyncio.Event()
        self._overflow = asyncio.Event()
        if resume_from is not None:
            self._behind.set()

    def offer(self, frame: dict[str, Any]) -> None:
        """Take a frame; a client that lets too many wait is cut."""
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self._overflow.set()

    def catch_up(self) -> None:
        """Send what the store has beyond the last frame."""
        self._behind.set()

    async def run(self) -> None:
        """Serve until one side ends it."""
        leave = self._resources.hub.join(self._principal.user_id, self)
        parts = (
            self._send_frames(),
            self._receive(),
            self._watch_sign_in(),
            self._watch_speed(),
            self._ping(),
        )
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            failure = next((task.exception() for task in done if task.exception()), None)
            if isinstance(failure, Closed):
                await self._socket.close(failure.code, failure.reason)
            elif failure is not None and not isinstance(failure, WebSocketDisconnect):
                log.error("live.failed", exc_info=failure)
                await self._socket.close(1011, "something went wrong on our side; connect again")
        except (WebSocketDisconnect, RuntimeError):
            pass  # the other side was first
        finally:
            leave()
            await end(*tasks)

    async def _send_frames(self) -> None:
        await self._send_unread_count()
        while True:
            if self._behind.is_set():
                await self._send_missed()
            frame = await self._next_frame()
            if frame is None or (frame["type"] == "notification" and self._was_sent(frame)):
                continue
            await self._send(frame)
            if frame["type"] == "notification":
                await self._send_unread_count()

    async def _next_frame(self) -> dict[str, Any] | None:
        """The next frame, or None when the store has to be looked into first."""
        if not self._frames.empty():
            return self._frames.get_nowait()
        frame = asyncio.create_task(self._frames.get())
        behind = asyncio.create_task(self._behind.wait())
        try:
            await asyncio.wait({frame, behind}, return_when=asyncio.FIRST_COMPLETED)
            return frame.result() if frame.done() else None
        finally:
            frame.cancel()
            behind.cancel()

    async def _send_missed(self) -> None:
        self._behind.clear()
        if self._last_seen is None:
            return
        rows = await NotificationQueries(self._resources.reads, self._principal.user_id).after(self._last_seen)
        for notification, notification_id in rows:
            await self._send({"id": str(notification_id), "type": "notification", "data": json.loads(notification)})

    def _was_sent(self, frame: dict[str, Any]) -> bool:
        return self._last_seen is not None and frame["id"] == str(self._last_seen)

    async def _send_unread_count(self) -> None:
        count = await NotificationQueries(self._resources.reads, self._principal.user_id).unread()
        await self._send({"id": str(new_id()), "type": "unread_count", "data": {"count": count}})

    async def _send(self, frame: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._socket.send_text(json.dumps(frame, ensure_ascii=False))
        except TimeoutError:
            raise Closed(TOO_SLOW, "you read too slowly; connect again and resume") from None
        if frame["type"] == "notification":
            self._last_seen = max(UUID(frame["id"]), self._last_seen or UUID(int=0))

    async def _receive(self) -> None:
        while True:
            try:
                message = json.loads(await self._socket.receive_text())
            except ValueError:
                raise Closed(BAD_MESSAGE, "messages are JSON objects") from None
            if not isinstance(message, dict):
                raise Closed(BAD_MESSAGE, "messages are JSON objects")
            if isinstance(message.get("token"), str):
                await self._renew(message["token"])
            elif not isinstance(message.get("ack"), str):
                raise Closed(BAD_MESSAGE, 'send {"ack": id} or {"token": "…"}')

    async def _renew(self, token: str) -> None:
        try:
            renewed = await self._resources.sign_in.authenticator.principal(token)
        except GroveError:
            raise Closed(SIGN_IN_ENDED, "the new token is not valid") from None
        if renewed.user_id != self._principal.user_id:
            raise Closed(SIGN_IN_ENDED, "the new token is another user's")
        self._principal = renewed

    async def _watch_sign_in(self) -> None:
        gate = self._resources.sign_in.authenticator.gate
        unknown = 0.0
        while True:
            await asyncio.sleep(SIGN_IN_CHECK_SECONDS)
            if self._principal.expires_at <= now():
                raise Closed(SIGN_IN_ENDED, "your token has expired")
            try:
                admitted = await gate.admits(self._principal)
            except GroveError:
                unknown += SIGN_IN_CHECK_SECONDS
                if unknown >= UNKNOWN_SECONDS:
                    raise Closed(TRY_AGAIN, "your sign-in can't be checked; connect again in a moment") from None
                continue
            unknown = 0.0
            if not admitted:
                raise Closed(SIGN_IN_ENDED, "your session was ended")

    async def _watch_speed(self) -> None:
        await self._overflow.wait()
        raise Closed(TOO_SLOW, "you read too slowly; connect again and resume")

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._resources.settings.live_ping_seconds)
            self.offer({"id": str(new_id()), "type": "ping", "data": {}})
