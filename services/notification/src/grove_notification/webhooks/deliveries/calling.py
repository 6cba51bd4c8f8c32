"""One call of an endpoint: a connection of its own to an address that was checked, no redirect, little of the answer.

httpcore is used by itself: it follows no redirect, reads no proxy from the environment, and asks for each connection,
whose address is thereby known to be the checked one. TLS and the Host header keep the name.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2
from httpcore2 import AsyncNetworkBackend, AsyncNetworkStream

from grove_notification.webhooks.targets import TargetRefused, Targets

CONNECT_SECONDS = 5.0
BODY_SECONDS = 2.0
MAX_BODY = 16 * 1024
MAX_SAID = 160 * 1024
"""Bytes that an endpoint may send in all: of headers the parser keeps 100 KiB, and then there is the body."""
MAX_READ = 4096
"""Bytes taken at once: between two reads others have their turn, whatever the parser finds in one."""
MAX_EXCERPT = 1000
MAX_ERROR = 300
_FAILURES = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ConnectionNotAvailable,
    httpcore2.UnsupportedProtocol,
    OSError,
    ssl.SSLError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: with a status, or with an `error` in words instead."""

    status: int | None = None
    excerpt: str | None = None
    retry_after: str | None = None
    error: str | None = None


class BoundedStream(AsyncNetworkStream):
    """Reads little at once, and not for ever: answers such as 103 may come before the answer without end."""

    def __init__(self, stream: AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = MAX_SAID

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some of it. Raises httpcore2.ReadError when it was enough."""
        if self._left <= 0:
            raise httpcore2.ReadError("it said more than an answer has")
        await asyncio.sleep(0)  # what is there already is read without waiting, and so without anybody else's turn
        said = await self._stream.read(min(max_bytes, MAX_READ), timeout)
        self._left -= len(said)
        return said

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """All of it."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "BoundedStream":
        """The stream inside TLS, as bounded."""
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What is known of the connection."""
        return self._stream.get_extra_info(info)


class _CheckedNetwork(AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """To the first address that answers. Raises TargetRefused."""
        failure: Exception = OSError(f"{host} has no address")
        for address in await self._targets.addresses(host, port):
            try:
                found = await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
                return BoundedStream(found)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class Caller:
    """Calls endpoints. `seconds`: what a call may take in all."""

    def __init__(self, targets: Targets, *, seconds: float, tls: ssl.SSLContext | None = None) -> None:
        self._targets = targets
        self._seconds = seconds
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or httpcore2.default_ssl_context(),
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=_CheckedNetwork(targets),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST, and what came of it. Raises nothing but cancellation."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, headers, body)
        except TargetRefused as refused:
            return Answer(error=_printable(f"The URL {refused}.", MAX_ERROR))
        except (TimeoutError, httpcore2.ReadTimeout, httpcore2.WriteTimeout):
            return Answer(error=f"There was no answer within {self._seconds:g} s.")
        except _FAILURES as failure:
            return Answer(error=_printable(f"There was no answer: {_reason(failure)}.", MAX_ERROR))

    async def aclose(self) -> None:
        """Close what is open."""
        await self._pool.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self._targets.parse(url)  # the operator's rules may be others than when it was saved
        parsed = httpx2.URL(url)
        async with self._pool.stream(
            "POST",
            httpcore2.URL(scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path),
            headers=[("Host", parsed.netloc.decode("ascii")), *headers.items()],
            content=body,
            extensions={"timeout": {"connect": CONNECT_SECONDS, "read": self._seconds, "write": self._seconds}},
        ) as response:
            given = {name.lower(): value for name, value in response.headers}
            return Answer(
                status=response.status,
                excerpt=_excerpt(await _beginning(response.aiter_stream())),
                retry_after=given.get(b"retry-after", b"").decode("latin-1") or None,
            )


async def _beginning(chunks: AsyncIterator[bytes]) -> bytes:
    """Some of a body. That it is slow, or breaks off, does not undo the status."""
    body = bytearray()
    with suppress(TimeoutError, *_FAILURES):
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in chunks:
                body += chunk
                if len(body) >= MAX_BODY:
                    break
    return bytes(body[:MAX_BODY])


def _excerpt(body: bytes) -> str | None:
    return _printable(body.decode("utf-8", "replace"), MAX_EXCERPT) or None


def _printable(text: str, most: int) -> str:
    return "".join(char if char.isprintable() else " " for char in text).strip()[:most]


def _reason(failure: Exception) -> str:
    return str(failure).strip().rstrip(".") or type(failure).__name__
