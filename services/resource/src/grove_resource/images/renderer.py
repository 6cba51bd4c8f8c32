"""Decoding in processes of their own, few at once."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from grove.core.errors import Invalid, ServiceUnavailable
from grove.web.uploads import Upload
from grove_resource.images.process import LENGTH_BYTES, REFUSED
from grove_resource.images.rules import HEAD_BYTES, SIZES, kind_of

log = structlog.get_logger()

AT_ONCE = 2
MOST = 10
"""So many may be at work or wait for it."""
TURN_SECONDS = 4
"""How long one waits for a turn. The edge gives up after 30 s: waiting, decoding and storing end before."""
WALL_SECONDS = 15
RETRY_AFTER_SECONDS = 5


class NoPicture(Invalid):
    """422: the file is broken, too large to decode, or more than a picture."""

    message = "The picture can't be read."

    def __init__(self, reason: str | None = None) -> None:
        reason = reason or self.message
        super().__init__(reason, details=[{"field": "body.file", "message": reason, "type": "value_error"}])


class Renderer:
    """Makes thumbnails of uploaded pictures."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._taken = 0

    async def thumbnails(self, upload: Upload) -> dict[int, bytes]:
        """A WebP for each of SIZES. Raises UnsupportedMedia, NoPicture, and ServiceUnavailable when many wait."""
        await upload.file.seek(0)
        kind = kind_of(upload.name, upload.content_type, await upload.file.read(HEAD_BYTES))
        async with self._turn():
            data = b"".join([chunk async for chunk in upload.chunks()])
            return dict(zip(SIZES, _pieces(await _decoded(kind, data)), strict=True))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._taken >= MOST:
            raise _busy()
        self._taken += 1
        try:
            await self._begin()
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._taken -= 1

    async def _begin(self) -> None:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise _busy() from None


def _busy() -> ServiceUnavailable:
    return ServiceUnavailable("Too many photos at once. Try again soon.", retry_after=RETRY_AFTER_SECONDS)


async def _decoded(kind: str, data: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "grove_resource.images.process", kind),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WALL_SECONDS):
            output, errors = await process.communicate(data)
    except TimeoutError:
        raise NoPicture("The picture takes too long to decode.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return output
    log.warning("photo.refused", code=process.returncode, reason=(output + errors).decode(errors="replace")[-500:])
    if process.returncode == REFUSED:
        raise NoPicture(output.decode())
    if process.returncode == -signal.SIGXCPU:
        raise NoPicture("The picture takes too long to decode.")
    if process.returncode is None or process.returncode >= 0 or process.returncode == -signal.SIGKILL:
        raise ServiceUnavailable(retry_after=RETRY_AFTER_SECONDS)  # SIGKILL: the host has no memory left
    raise NoPicture  # a decoder crashed


def _pieces(output: bytes) -> list[bytes]:
    pieces = []
    while output:
        end = LENGTH_BYTES + int.from_bytes(output[:LENGTH_BYTES], "big")
        pieces.append(output[LENGTH_BYTES:end])
        output = output[end:]
    return pieces
