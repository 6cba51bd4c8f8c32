"""Faults on demand: `POST /control/faults` makes the next answers of a path fail or hang."""

import asyncio
from dataclasses import dataclass

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Fault(BaseModel):
    """The next `times` requests whose path begins with `path` wait `delay_seconds`, then answer `status` if given."""

    path: str
    status: int | None = Field(None, ge=400, le=599)
    body: dict[str, str] = {}
    delay_seconds: float = Field(0, ge=0, le=60)
    retry_after: int | None = None
    times: int = Field(1, ge=1, le=10_000)


@dataclass
class Faults:
    """The faults that are set."""

    active: list[Fault]

    def __init__(self) -> None:
        self.active = []

    def take(self, path: str) -> Fault | None:
        """The fault for this request, counted down."""
        for fault in self.active:
            if path.startswith(fault.path):
                fault.times -= 1
                if fault.times <= 0:
                    self.active.remove(fault)
                return fault
        return None


class FaultMiddleware:
    """Plays the faults."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self.app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Fail, or hand on."""
        fault = self._faults.take(scope["path"]) if scope["type"] == "http" else None
        if fault is not None:
            await asyncio.sleep(fault.delay_seconds)
            if fault.status is not None:
                headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after else None
                await JSONResponse(fault.body, fault.status, headers)(scope, receive, send)
                return
        await self.app(scope, receive, send)
