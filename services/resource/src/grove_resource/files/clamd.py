"""ClamAV's daemon on a Unix socket: `INSTREAM` of clamd(8)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_ANSWER_BYTES = 4096
_PING_SECONDS = 1


class ClamdError(Exception):
    """clamd does not answer, not in time, or without a verdict."""


class Clamd:
    """A scanner. Each call is a connection of its own; a scan takes `seconds` at most."""

    def __init__(self, socket: str, *, seconds: float) -> None:
        self._socket = socket
        self._seconds = seconds

    async def ping(self) -> None:
        """Raises ClamdError."""
        async with self._asked(b"zPING\0", _PING_SECONDS) as (reader, _):
            answer = await _read(reader)
        if answer != "PONG":
            raise ClamdError(f"clamd answered a ping with {answer!r}")

    async def scan(self, chunks: AsyncIterator[bytes]) -> str | None:
        """The name of what was found in `chunks`; None for nothing. Raises ClamdError."""
        async with self._asked(b"zINSTREAM\0", self._seconds) as (reader, writer):
            try:
                async for chunk in chunks:
                    writer.write(len(chunk).to_bytes(4, "big") + chunk)
                    await writer.drain()
                writer.write(bytes(4))
                await writer.drain()
            except ConnectionError:
                pass  # too much for its StreamMaxLength: it says so and hangs up
            answer = await _read(reader)
        if answer == "stream: OK":
            return None
        if answer.startswith("stream: ") and answer.endswith(" FOUND"):
            return answer.removeprefix("stream: ").removesuffix(" FOUND")
        raise ClamdError(f"clamd answered {answer!r}")

    @asynccontextmanager
    async def _asked(
        self, command: bytes, seconds: float
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await self._connected()
                try:
                    writer.write(command)
                    yield reader, writer
                finally:
                    writer.close()
        except TimeoutError:
            raise ClamdError(f"clamd did not answer within {seconds:g} s") from None
        except (ConnectionError, EOFError, asyncio.LimitOverrunError) as error:
            raise ClamdError(f"clamd does not answer: {error}") from error

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(self._socket, limit=_ANSWER_BYTES)
        except OSError as error:
            raise ClamdError(f"clamd can't be reached: {error}") from error


async def _read(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\0"))[:-1].decode(errors="replace")
