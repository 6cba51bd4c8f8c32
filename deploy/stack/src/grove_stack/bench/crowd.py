"""Thousands of WebSockets of few instructions each, in a process of its own: who is open, and when a message came."""

import asyncio
import base64
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

from grove_stack.bench.load import Target

PATH = "/api/v1/notifications/stream"
OPENING = 32
"""Sockets that are being opened at a time."""
SPARE_FILES = 200
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """Sockets to open: `each` of them for every token, which wait for a message with the first of `markers` in it; when
    all have it, for the next. A target without CA is called without TLS.
    """

    target: Target
    tokens: list[str]
    markers: list[str]
    each: int = 1

    @property
    def count(self) -> int:
        """How many in all."""
        return len(self.tokens) * self.each


class Crowd:
    """The open sockets."""

    def __init__(self, process: asyncio.subprocess.Process, opened_seconds: float) -> None:
        self._process = process
        self.opened_seconds = opened_seconds

    async def arrivals(self) -> list[float]:
        """When each had its next message, by `time.perf_counter`; waits until all have."""
        arrivals: list[float] = await _told(self._process, "arrivals")
        return arrivals


@asynccontextmanager
async def crowd(wanted: Wanted) -> AsyncIterator[Crowd]:
    """Open them all; each was sent its unread count by then."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    try:
        process.stdin.write(json.dumps(asdict(wanted)).encode() + b"\n")  # type: ignore[union-attr] # it is a pipe
        await process.stdin.drain()  # type: ignore[union-attr]
        yield Crowd(process, await _told(process, "opened"))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _told(process: asyncio.subprocess.Process, what: str) -> Any:
    line = await process.stdout.readline()  # type: ignore[union-attr] # it is a pipe
    if not line:
        raise RuntimeError("The crowd of sockets failed; see above.")
    return json.loads(line)[what]


class _Crowd:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._missing = wanted.count
        self._markers = [marker.encode() for marker in wanted.markers]
        self.round = 0
        self.opened = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals: list[float] = []

    @property
    def marker(self) -> bytes:
        """Of what is waited for; after the last round nothing is."""
        return self._markers[self.round] if self.round < len(self._markers) else b"\0"

    async def open(self) -> None:
        context = self._wanted.target.context() if self._wanted.target.ca_file else None
        host, port = self._wanted.target.address.split(":")
        turns = asyncio.Semaphore(OPENING)

        async def one(token: str) -> None:
            async with turns:
                began = asyncio.Event()
                await asyncio.get_running_loop().create_connection(
                    lambda: _Socket(self, _request(self._wanted.target.host, token), began),
                    host,
                    int(port),
                    ssl=context,
                    server_hostname=self._wanted.target.host if context else None,
                )
                await began.wait()

        await asyncio.gather(*(one(token) for token in self._wanted.tokens for _ in range(self._wanted.each)))
        await self.opened.wait()

    def ready(self) -> None:
        self._missing -= 1
        if not self._missing:
            self.opened.set()

    def arrived(self) -> None:
        self._arrivals.append(time.perf_counter())
        if len(self._arrivals) == self._wanted.count:
            print(json.dumps({"arrivals": self._arrivals}), flush=True)  # noqa: T201 - the answer to the parent
            self._arrivals = []
            self.round += 1

    def fail(self, why: str) -> None:
        if not self.failed.done():
            self.failed.set_exception(RuntimeError(why))


class _Socket(asyncio.Protocol):
    """The client's side of RFC 6455, as far as it is needed here."""

    def __init__(self, crowd: _Crowd, request: bytes, began: asyncio.Event) -> None:
        self._crowd = crowd
        self._request = request
        self._began = began
        self._buffer = b""
        self._upgraded = self._ready = False
        self._round = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # of a connection
        transport.write(self._request)  # type: ignore[attr-defined]

    def connection_lost(self, _: Exception | None) -> None:
        self._crowd.fail("a socket was closed")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head[:20]:
                self._crowd.fail(self._buffer[:500].decode(errors="replace"))
                return
            self._upgraded, self._buffer = True, rest
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(buffer[2:4]), 4
        elif size == 127:
            size, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + size:
            return None
        self._buffer = buffer[start + size :]
        return buffer[0] & 15, buffer[start : start + size]

    def _take(self, kind: int, content: bytes) -> None:
        if kind == _TEXT and not self._ready and b'"type": "unread_count"' in content:
            self._ready = True
            self._began.set()
            self._crowd.ready()
        elif kind == _TEXT and self._round == self._crowd.round and self._crowd.marker in content:
            self._round += 1
            self._crowd.arrived()
        elif kind == _PING:
            # Masked with nothing, which is a mask as well.
            self._transport.write(bytes([0x80 | _PONG, 0x80 | len(content), 0, 0, 0, 0]) + content)  # type: ignore[union-attr]
        elif kind == _CLOSE:
            self._crowd.fail(f"a socket was closed: {int.from_bytes(content[:2])} {content[2:].decode()}")


def _request(host: str, token: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {PATH} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        f"Authorization: Bearer {token}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _run(wanted: Wanted) -> None:
    began = time.perf_counter()
    crowd = _Crowd(wanted)
    opening = asyncio.create_task(crowd.open())
    await asyncio.wait({opening, crowd.failed}, return_when=asyncio.FIRST_COMPLETED)
    if opening.done():
        print(json.dumps({"opened": time.perf_counter() - began}), flush=True)  # noqa: T201 - the answer to the parent
    await crowd.failed  # or until the parent has done with them


def allow_files(count: int) -> None:
    """Have this process open that many files and some. Raises ValueError where the machine does not let it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + SPARE_FILES, most))


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    told = Wanted(**{**given, "target": Target(**given["target"])})
    allow_files(told.count)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(told))
