"""WebSockets whose every frame counts.

uvicorn hands whole messages to the app, which can count them, and deals with the rest by itself: it answers pings into
a buffer without end, looks at pongs that answer nothing, and keeps the pieces of a message that never ends. With those
one client could hold up a whole process, or fill its memory, and no app would ever know.
"""

from typing import Any

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from grove.core.allowance import Allowance

log = structlog.get_logger()

FRAMES_AT_ONCE = 1000
FRAMES_PER_SECOND = 40
"""More than an app should take as messages: what it says of too many is said in its own words."""
PIECES = 64
"""Frames of which one message may be made; browsers make it of one."""
READ_BYTES = 4096
"""As much is looked at before the frames in it are counted: under 700 of the smallest."""
TOO_MUCH = 4408


class SocketProtocol(WebSocketsSansIOProtocol):
    """Closes with 4408 for whoever sends more, and cuts those who would not read that. Without tasks of its own, unlike
    uvicorn's others.

    So what waits to be sent as answers to pings is bounded too: by FRAMES_AT_ONCE, 127 bytes each.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._allowance = Allowance(at_once=FRAMES_AT_ONCE, per_second=FRAMES_PER_SECOND)

    def data_received(self, data: bytes) -> None:
        """A part at a time: a read can bring tens of thousands of frames."""
        for start in range(0, len(data), READ_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + READ_BYTES])

    def handle_events(self) -> None:
        """Those of a part, if they are none too many."""
        if self._allowance.take(len(self.conn.events)) and len(self.frames) <= PIECES:
            super().handle_events()
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        log.warning("websocket.too_many_frames", client=self.client[0] if self.client else None)
        self.stop_keepalive()
        self.conn.data_to_send()  # answers to its pings, which it need not have
        self.conn.fail(TOO_MUCH, "you send too many frames; connect again")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": TOO_MUCH})
        self.close_sent = True
        if self.handshake_complete and self.writable.is_set():
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
            self.loop.call_later(self.close_timeout, self.transport.abort)  # for who does not read it
        else:
            self.transport.abort()
