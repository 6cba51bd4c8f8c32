"""A receiver of webhooks: keeps what arrives by name, and answers as it is told to."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

router = APIRouter()

KEPT = 1000


class Received(BaseModel):
    """A request as it arrived. The body is text, since signatures are of it byte for byte."""

    headers: dict[str, str]
    body: str


class Behaviour(BaseModel):
    """How a receiver answers, for `times` requests or, by default, until it is told otherwise.

    `hang`: not at all, until it is told otherwise. `slow_body`: the body comes a byte each second.
    """

    mode: Literal["answer", "hang", "slow_body"] = "answer"
    status: int = Field(200, ge=200, le=599)
    retry_after: str | None = None
    location: str | None = None
    body: str = "ok"
    times: int | None = Field(None, ge=1)


@dataclass
class Receiver:
    """One of them."""

    received: deque[Received] = field(default_factory=lambda: deque(maxlen=KEPT))
    behaviour: Behaviour = field(default_factory=Behaviour)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> Behaviour:
        """How the next request is answered, counted down."""
        behaviour = self.behaviour
        if behaviour.times is not None:
            behaviour.times -= 1
            if behaviour.times == 0:
                self.behaviour = Behaviour()
        return behaviour


@router.post("/webhooks/receive/{name}")
async def receive(name: str, request: Request) -> Response:
    """Take a delivery."""
    receiver = _receiver(request, name)
    receiver.received.append(Received(headers=dict(request.headers), body=(await request.body()).decode()))
    behaviour, changed = receiver.take(), receiver.changed
    if behaviour.mode == "hang":
        await changed.wait()
    headers = {"Retry-After": behaviour.retry_after, "Location": behaviour.location}
    given = {header: value for header, value in headers.items() if value is not None}
    if behaviour.mode == "slow_body":
        return StreamingResponse(_slowly(behaviour.body), behaviour.status, given)
    return Response(behaviour.body, behaviour.status, given)


@router.get("/control/webhooks/{name}")
async def received(name: str, request: Request) -> list[Received]:
    """What arrived, oldest first: the newest thousand."""
    return list(_receiver(request, name).received)


@router.put("/control/webhooks/{name}", status_code=204)
async def behave(name: str, behaviour: Behaviour, request: Request) -> None:
    """How it answers from now on; requests that hang are answered."""
    receiver = _receiver(request, name)
    receiver.behaviour = behaviour
    receiver.changed.set()
    receiver.changed = asyncio.Event()


@router.delete("/control/webhooks/{name}", status_code=204)
async def forget(name: str, request: Request) -> None:
    """Forget what arrived."""
    _receiver(request, name).received.clear()


def _receiver(request: Request, name: str) -> Receiver:
    receivers: dict[str, Receiver] = request.app.state.receivers
    return receivers.setdefault(name, Receiver())


async def _slowly(body: str) -> AsyncIterator[bytes]:
    for byte in body.encode():
        yield bytes([byte])
        await asyncio.sleep(1)
