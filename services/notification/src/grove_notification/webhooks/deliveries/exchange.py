"""One request and its answer by HTTP/1.1, as far as an answer may go: each step of the parser is counted.

A parser alone is no bound: what it finds in 100 KiB may be one header or 24,000, one piece of a body or one a byte.
"""

import re
from collections.abc import AsyncIterator, Iterable

import anyio
import h11
from anyio.abc import ByteStream

from grove_notification.webhooks.deliveries.bounded import SaidTooMuch

MAX_HEAD = 16 * 1024
"""Bytes of headers, those of `1xx` included."""
MAX_LINES = 100
"""Lines of them."""
MAX_EARLY = 8
"""Answers such as 103 that come before the answer."""
MAX_BODY = 4096
"""Bytes of a body that are looked at, as they are sent: the sizes of chunks are among them."""
MAX_STEPS = 64
"""Steps of the parser in a body, each of which is a piece of it or asks for more."""
_MAX_READ = 4096
_BLANK = re.compile(rb"\n\r?\n")


class Exchange:
    """A request, sent once, and its answer. Raises h11.ProtocolError, SaidTooMuch, and what streams raise."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._said = bytearray()
        """What was received, and not given to the parser yet."""

    async def send(self, target: bytes, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """POST it. Who hangs up meanwhile may have answered before."""
        given = [*headers, ("Content-Length", str(len(body))), ("Connection", "close")]
        events = (h11.Request(method="POST", target=target, headers=given), h11.Data(data=body), h11.EndOfMessage())
        request = b"".join(self._http.send(event) or b"" for event in events)
        try:
            await self._stream.send(request)
        except anyio.BrokenResourceError:
            return

    async def head(self) -> h11.Response:
        """The status and the headers. Raises anyio.EndOfStream when there is none."""
        size = lines = 0
        for _ in range(MAX_EARLY + 1):
            head = await self._one_head(MAX_HEAD - size)
            size, lines = size + len(head), lines + head.count(b"\n")
            if lines > MAX_LINES:
                raise SaidTooMuch
            self._http.receive_data(head)
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                return event
        raise SaidTooMuch

    async def body(self) -> AsyncIterator[bytes]:
        """The beginning of the body, in pieces."""
        left = MAX_BODY
        for _ in range(MAX_STEPS):
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif event is not h11.NEED_DATA or left <= 0:
                return
            else:
                piece = bytes(self._said or await self._more())[:left]
                self._said.clear()
                left -= len(piece)
                self._http.receive_data(piece)

    async def _one_head(self, most: int) -> bytes:
        """Up to the blank line that ends it."""
        looked = 0
        while (blank := _BLANK.search(self._said, looked)) is None and len(self._said) <= most:
            looked = max(0, len(self._said) - 2)
            more = await self._more()
            if not more:
                raise anyio.EndOfStream
            self._said += more
        if blank is None or blank.end() > most:
            raise SaidTooMuch
        head = bytes(self._said[: blank.end()])
        del self._said[: blank.end()]
        return head

    async def _more(self) -> bytes:
        """What comes next; nothing at the end."""
        try:
            return await self._stream.receive(_MAX_READ)
        except anyio.EndOfStream:
            return b""
