"""Idempotency-Key: the same request sent twice has one effect and one answer.

The key is kept in the same transaction as the effect, per user, for 24 hours. A route opts in with a dependency that
calls `begin`; the route class stores the response before the commit.
"""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Protocol
from uuid import UUID

from fastapi import Header, Request, Response

from grove.core.errors import Conflict, Invalid

KEPT = timedelta(hours=24)
HEADER = "Idempotency-Key"
KeyHeader = Annotated[
    str | None,
    Header(
        alias=HEADER,
        min_length=1,
        max_length=255,
        description="Repeating a request with this key within 24 hours repeats its answer. Errors are not kept: "
        "after one (4xx, 5xx) the same key runs the request again",
    ),
]


class KeyReused(Invalid):
    """422: the key was used with another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
    message = "This Idempotency-Key was used with another request. Use a new key."


class StillRunning(Conflict):
    """409: the first request with this key is being worked on."""

    message = "The first request with this Idempotency-Key is still running. Try again in a moment."


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """An answer that was given."""

    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes


class IdempotencyStore(Protocol):
    """Keeps answers in the request's own transaction (service/idempotency_keys.py)."""

    async def begin(self, user_id: UUID, key: str) -> StoredResponse | None:
        """Take the key for this transaction; the stored answer if there is one. Raises StillRunning."""
        ...

    async def save(self, user_id: UUID, key: str, response: StoredResponse) -> None:
        """Keep the answer, in the transaction."""
        ...


class Replay(Exception):
    """Ends the request with the stored answer."""

    def __init__(self, response: StoredResponse) -> None:
        self.response = response


@dataclass(frozen=True, slots=True)
class _Pending:
    store: IdempotencyStore
    user_id: UUID
    key: str
    fingerprint: bytes


async def begin(
    request: Request, store: IdempotencyStore, user_id: UUID, key: str | None, *, content: bytes | None = None
) -> None:
    """Start an idempotent request: replays, refuses, or lets it run. Without a key it just runs.

    `content` stands for the body: its digest where that was streamed, or the body with what else must be the same.
    """
    if key is None:
        return
    line = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    fingerprint = hashlib.sha256(line + (await request.body() if content is None else content)).digest()
    stored = await store.begin(user_id, key)
    if stored is None:
        request.state.idempotency = _Pending(store, user_id, key, fingerprint)
    elif stored.fingerprint != fingerprint:
        raise KeyReused
    else:
        raise Replay(stored)


def forget(request: Request) -> None:
    """Keep no answer of this request: its effect was rolled back, and its key is free."""
    request.state.idempotency = None


async def remember_response(request: Request, handler: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    """Run the handler; keep its answer if the request is idempotent. An error rolls back, so it is not kept."""
    try:
        response = await handler(request)
    except Replay as replay:
        stored = replay.response
        headers = stored.headers | {"Idempotency-Replayed": "true"}
        return Response(stored.body, stored.status, headers)
    pending: _Pending | None = getattr(request.state, "idempotency", None)
    if pending is not None and response.status_code < 500:
        kept = {name: value for name, value in response.headers.items() if name in {"content-type", "etag", "location"}}
        await pending.store.save(
            pending.user_id,
            pending.key,
            StoredResponse(pending.fingerprint, response.status_code, kept, bytes(response.body)),
        )
    return response
