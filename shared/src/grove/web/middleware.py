"""Around every request: its context, one access line, the headers that all answers carry, the last error net."""

import ipaddress
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import unquote

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grove.core.context import RequestContext, use_context
from grove.core.errors import GroveError, Invalid, PayloadTooLarge
from grove.core.ids import new_id
from grove.security.network import EDGE
from grove.web.errors import render

log = structlog.get_logger()

MAX_BODY_BYTES = 1024 * 1024
BODY_LIMIT = "grove.body_limit"
"""Key of a scope in which a route that takes files says how much more it takes (web/uploads.py)."""
_REQUEST_ID = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")
_ANSWERS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_STANDARD_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in {
        "API-Version": "1",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-site",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "Cache-Control": "private, no-store",
    }.items()
]


class RequestContextMiddleware:
    """Outermost: the context of a request or WebSocket, its access line, and the headers of its answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        context = RequestContext(
            request_id=_request_id(headers),
            client_ip=client_ip(scope, headers),
            user_agent=headers.get("user-agent", "")[:400],
            method=scope.get("method", "WEBSOCKET"),
            traceparent=headers.get("traceparent"),
        )
        with use_context(context):
            await self._serve(scope, receive, send, context)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, context: RequestContext) -> None:
        started = time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in _ANSWERS:
                status = message.get("status", 101)
                message["headers"] = _completed(message.get("headers", ()), context)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            if not scope["path"].startswith("/health/"):
                log.info(
                    "request",
                    method=context.method,
                    route=_route(scope),
                    status=status,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    client=context.client_ip,
                )


class ErrorNetMiddleware:
    """The last net, inside CORS, so that web apps can read its answers too: what no route may get, and what no route
    caught. `on_unknown` renders that.
    """

    def __init__(self, app: ASGIApp, on_unknown: Callable[[HTTPConnection, Exception], Awaitable[Any]]) -> None:
        self.app = app
        self._on_unknown = on_unknown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or WebSocket."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        answered = False

        async def sending(message: Message) -> None:
            nonlocal answered
            answered = answered or message["type"] in _ANSWERS
            await send(message)

        try:
            if "\x00" in unquote(scope["path"]) or b"%00" in scope["query_string"]:
                raise Invalid("NUL characters are not allowed.")
            await self.app(scope, _limited(scope, receive, Headers(scope=scope)), sending)
        except Exception as error:
            if answered:
                raise
            asked = HTTPConnection(scope)
            response = render(asked, error) if isinstance(error, GroveError) else await self._on_unknown(asked, error)
            await response(scope, receive, sending)


def _completed(headers: Iterable[tuple[bytes, bytes]], context: RequestContext) -> list[tuple[bytes, bytes]]:
    """The answer's headers, with those that are missing: what dependencies asked for, then the standard ones."""
    complete = [*headers, (b"x-request-id", context.request_id.encode())]
    there = {name.lower() for name, _ in complete}
    added = [(name.lower().encode(), value.encode("latin-1")) for name, value in context.response_headers.items()]
    for name, value in (*added, *_STANDARD_HEADERS):
        if name not in there:
            there.add(name)
            complete.append((name, value))
    return complete


def _limited(scope: Scope, receive: Receive, headers: Headers) -> Receive:
    """`receive`, which raises PayloadTooLarge beyond the limit, whether the length was told or not."""
    told = headers.get("content-length", "")
    length = int(told) if told.isdigit() else 0
    if length > MAX_BODY_BYTES and not headers.get("content-type", "").startswith("multipart/form-data"):
        raise PayloadTooLarge
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        limit = scope.get(BODY_LIMIT, MAX_BODY_BYTES)
        if length > limit:
            raise PayloadTooLarge
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise PayloadTooLarge
        return message

    return receive_limited


def client_ip(scope: Scope, headers: Headers) -> str | None:
    """The client's address: the edge's word for it when the edge is the peer, else the peer's own."""
    peer = scope.get("state", {}).get("peer")
    if peer == EDGE:
        forwarded = headers.get("x-forwarded-for", "").rsplit(",", 1)[-1].strip()
        try:
            return str(ipaddress.ip_address(forwarded))
        except ValueError:
            return None
    client = scope.get("client")
    return client[0] if client else None


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else str(new_id())


def _route(scope: Scope) -> str:
    route = scope.get("route")
    return getattr(route, "path", None) or "unknown"
