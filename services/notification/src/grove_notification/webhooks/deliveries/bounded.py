"""The bytes of a peer that may want to say too much: counted before TLS opens them, so that all of it counts."""

import asyncio

from anyio.abc import ByteStream

MIN_READ = 512
"""What a read counts at least: a thousand of one byte each are more work than one of a thousand bytes."""


class SaidTooMuch(Exception):
    """The peer said more than it may; the message ends a sentence that begins with `it`."""

    def __init__(self) -> None:
        super().__init__("it said more than an answer has")


class BoundedStream(ByteStream):
    """A connection that ends when its peer has said enough.

    TLS is put over it. There handshakes, alerts, session tickets and new keys are work that no reader of answers sees.
    """

    def __init__(self, stream: ByteStream, most: int) -> None:
        """`most`: bytes that the peer may send."""
        self._stream = stream
        self._left = most

    def allow(self, most: int) -> None:
        """From now on so many bytes, whatever was left."""
        self._left = most

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Some of it. Raises SaidTooMuch when it was enough, and anyio.EndOfStream at the end."""
        if self._left <= 0:
            raise SaidTooMuch
        await asyncio.sleep(0)  # what is there already is read without waiting, and so without anybody else's turn
        said = await self._stream.receive(min(max_bytes, self._left))
        self._left -= max(len(said), MIN_READ)
        return said

    async def send(self, item: bytes) -> None:
        """All of it."""
        await self._stream.send(item)

    async def send_eof(self) -> None:
        """Say that nothing follows."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()
