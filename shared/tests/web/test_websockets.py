"""WebSockets are refused like any request, and leave a line behind."""

import json

import httpx2
import pytest
from fastapi import WebSocket
from structlog.testing import capture_logs

from grove.core.errors import RateLimited


@pytest.fixture
def connect(app):
    """Connects to a path: (what the app sent, the lines of its log)."""

    @app.websocket("/api/v1/open")
    async def opened(socket: WebSocket) -> None:
        await socket.accept(headers=[(b"x-own", b"1")])
        await socket.close(4400)

    @app.websocket("/api/v1/full")
    async def full(_: WebSocket) -> None:
        raise RateLimited(7)

    @app.websocket("/api/v1/crashes")
    async def crashes(_: WebSocket) -> None:
        raise ZeroDivisionError("password=hunter2")

    async def connect(path: str, query: bytes = b"") -> tuple[list[dict], list[dict]]:
        sent: list[dict] = []

        async def receive() -> dict:
            return {"type": "websocket.connect"}

        async def send(message) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "wss",
            "query_string": query,
            "headers": [(b"x-request-id", b"r-1")],
            "subprotocols": [],
            "client": ("127.0.0.1", 1),
            "server": ("x", 1),
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }
        with capture_logs() as lines:
            await app(scope, receive, send)
        return sent, [line for line in lines if line["event"] == "request"]

    return connect


@pytest.mark.parametrize(
    ("path", "query", "status", "code", "route"),
    [
        ("/api/v1/nowhere", b"", 404, "RESOURCE_NOT_FOUND", "unknown"),
        ("/api/v1/things", b"", 404, "RESOURCE_NOT_FOUND", "unknown"),
        ("/api/v1/open", b"x=%00", 422, "VALIDATION_ERROR", "unknown"),
        ("/api/v1/full", b"", 429, "RATE_LIMITED", "/api/v1/full"),
        ("/api/v1/crashes", b"", 500, "INTERNAL_ERROR", "/api/v1/crashes"),
    ],
)
async def test_a_refusal_is_an_error_like_any_other(connect, path, query, status, code, route):
    (start, body), (line,) = await connect(path, query)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    headers = httpx2.Headers(start["headers"])
    assert (headers["x-request-id"], headers["api-version"]) == ("r-1", "1")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers.get("retry-after") == ("7" if status == 429 else None)
    error = json.loads(body["body"])
    assert (error["error"]["code"], error["request_id"]) == (code, "r-1")
    assert "hunter2" not in body["body"].decode()
    assert (line["method"], line["route"], line["status"]) == ("WEBSOCKET", route, status)


async def test_one_that_was_open_leaves_a_line_at_its_end(connect):
    (accepted, closed), (line,) = await connect("/api/v1/open")
    headers = httpx2.Headers(accepted["headers"])
    assert (headers["x-own"], headers["x-request-id"], headers["api-version"]) == ("1", "r-1", "1")
    assert closed["code"] == 4400
    assert (line["method"], line["route"], line["status"]) == ("WEBSOCKET", "/api/v1/open", 101)
    assert line["milliseconds"] >= 0
