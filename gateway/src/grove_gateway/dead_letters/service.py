"""Asks the services, over mTLS, how their events fare; they look at RabbitMQ with their own rights."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2

from grove.core.errors import GroveError, NotFound, UpstreamError
from grove.web.client import HttpClient
from grove_gateway.answers import facts_in, reason_in
from grove_gateway.resources import Resources

SHOWN = 100
"""Letters on a page."""

Fare = dict[str, Any]
"""`outbox_oldest_seconds`, `queues` with what waits and is dead in each, `problem`: why something is not known."""


async def fares(resources: Resources) -> dict[str, Fare]:
    """How each service's events fare."""
    names = sorted(resources.clients)
    found = await asyncio.gather(*(fare_of(resources.clients[name]) for name in names))
    return dict(zip(names, found, strict=True))


async def fare_of(client: HttpClient) -> Fare:
    """How one service's events fare."""
    try:
        fare: Fare = _answer(await client.request("GET", "/internal/v1/events"))
    except GroveError as error:
        return {"outbox_oldest_seconds": None, "queues": [], "problem": error.message}
    return fare


async def letters(resources: Resources, service: str, queue: str) -> list[dict[str, Any]]:
    """The oldest letters of a queue. Raises a GroveError that says what is in the way."""
    answer = await _client(resources, service).request(
        "GET", "/internal/v1/dead-letters", params={"queue": queue, "limit": SHOWN}
    )
    found: list[dict[str, Any]] = _answer(answer)["items"]
    return found


async def letter(resources: Resources, service: str, queue: str, letter_id: str) -> dict[str, Any]:
    """One letter, with its event. Raises a GroveError that says what is in the way."""
    answer = await _client(resources, service).request(
        "GET", "/internal/v1/dead-letters/one", params={"queue": queue, "id": letter_id}
    )
    return _answer(answer)


async def replay(
    resources: Resources, service: str, queue: str, ids: list[str] | None, *, actor: UUID
) -> dict[str, Any]:
    """Hand letters back: those of `ids`, or the oldest. Raises a GroveError that says what is in the way."""
    answer = await _client(resources, service).request(
        "POST",
        "/internal/v1/dead-letters/replay",
        params={"queue": queue},
        json={"ids": ids, "actor_id": str(actor)},
    )
    return _answer(answer)


def _client(resources: Resources, service: str) -> HttpClient:
    client = resources.clients.get(service)
    if client is None:
        raise NotFound("There is no service of this name.")
    return client


def _answer(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code == 200:
        return facts_in(answer)
    reason = reason_in(answer)
    raise NotFound(reason) if answer.status_code == 404 else UpstreamError(reason)
