"""One call of an endpoint: a connection of its own to an address that was checked, no redirect, little of the answer.

No client library is between: each that there is reads more of an answer than can be afforded (exchange.py), and keeps
connections. TLS and the Host header keep the name.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import anyio
import h11
import httpx2
from anyio import connect_tcp
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from grove_notification.webhooks.deliveries.bounded import BoundedStream, SaidTooMuch
from grove_notification.webhooks.deliveries.exchange import Exchange
from grove_notification.webhooks.targets import Target, TargetRefused, Targets

CONNECT_SECONDS = 5.0
"""To one address; and for TLS, when there is a connection."""
BODY_SECONDS = 2.0
MAX_HANDSHAKE = 32 * 1024
"""Bytes that an endpoint may send before the request: certificates are most of it."""
MAX_SAID = 32 * 1024
"""Bytes that it may send after that, whatever they are."""
MAX_EXCERPT = 1000
MAX_ERROR = 300
_FAILURES = (
    OSError,  # those of TLS too
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    h11.ProtocolError,
    SaidTooMuch,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: with a status, or with an `error` in words instead."""

    status: int | None = None
    excerpt: str | None = None
    retry_after: str | None = None
    error: str | None = None


class Caller:
    """Calls endpoints. `seconds`: what a call may take in all."""

    def __init__(self, targets: Targets, *, seconds: float, tls: ssl.SSLContext | None = None) -> None:
        self._targets = targets
        self._seconds = seconds
        self._tls = tls or httpx2.create_ssl_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST, and what came of it. Raises nothing but cancellation."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, headers, body)
        except TargetRefused as refused:
            return Answer(error=_printable(f"The URL {refused}.", MAX_ERROR))
        except TimeoutError:
            return Answer(error=f"There was no answer within {self._seconds:g} s.")
        except _FAILURES as failure:
            return Answer(error=_printable(f"There was no answer: {_reason(failure)}.", MAX_ERROR))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        target = self._targets.parse(url)  # the operator's rules may be others than when it was saved
        parsed = httpx2.URL(url)
        async with self._connected(target) as stream:
            exchange = Exchange(stream)
            named = [("Host", parsed.netloc.decode("ascii")), *headers.items()]
            await exchange.send(parsed.raw_path, named, body)
            head = await exchange.head()
            given = dict(head.headers)
            return Answer(
                status=head.status_code,
                excerpt=_excerpt(await _beginning(exchange.body())),
                retry_after=given.get(b"retry-after", b"").decode("latin-1") or None,
            )

    @asynccontextmanager
    async def _connected(self, target: Target) -> AsyncIterator[ByteStream]:
        """A connection, with TLS in it when the URL says so. What the peer says is counted outside and inside of TLS:
        a little that is sent may be much to open, and a little that is opened may come in many pieces.
        """
        async with BoundedStream(await self._connect(target), MAX_HANDSHAKE) as bounded:
            stream: ByteStream = bounded
            if target.scheme == "https":
                stream = BoundedStream(await self._secured(bounded, target.host), MAX_SAID)
            bounded.allow(MAX_SAID)
            yield stream

    async def _connect(self, target: Target) -> ByteStream:
        """To the first address that answers. Raises TargetRefused or OSError."""
        failure = OSError(f"{target.host} has no address")
        for address in await self._targets.addresses(target.host, target.port):
            try:
                async with _within(CONNECT_SECONDS, "connection"):
                    return await connect_tcp(address, target.port)
            except OSError as error:
                failure = error
        raise failure

    async def _secured(self, stream: ByteStream, host: str) -> ByteStream:
        async with _within(CONNECT_SECONDS, "TLS"):
            return await TLSStream.wrap(stream, hostname=host, ssl_context=self._tls, standard_compatible=False)


@asynccontextmanager
async def _within(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ConnectionError(f"no {what} within {seconds:g} s") from None


async def _beginning(pieces: AsyncIterator[bytes]) -> bytes:
    """Some of a body. That it is slow, or breaks off, does not undo the status."""
    body = bytearray()
    with suppress(TimeoutError, *_FAILURES):
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in pieces:
                body += piece
    return bytes(body)


def _excerpt(body: bytes) -> str | None:
    return _printable(body.decode("utf-8", "replace"), MAX_EXCERPT) or None


def _printable(text: str, most: int) -> str:
    return "".join(char if char.isprintable() else " " for char in text).strip()[:most]


def _reason(failure: Exception) -> str:
    if isinstance(failure, anyio.EndOfStream):
        return "it hung up"
    return (str(failure) or str(failure.__cause__ or "")).strip().rstrip(".") or type(failure).__name__
