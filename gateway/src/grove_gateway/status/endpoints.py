"""Routes of the status: states for everyone, reasons only in the operators' health answers."""

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from grove.core.errors import GroveError
from grove_gateway.deps import ResourcesDep
from grove_gateway.pages.rendering import page
from grove_gateway.resources import Resources

router = APIRouter(include_in_schema=False)


@router.get("/status")
async def status_page(resources: ResourcesDep) -> Response:
    """Each service's readiness, as a page."""
    return page("status.html", resources.settings, services=await _states(resources))


@router.get("/status.json")
async def status(resources: ResourcesDep) -> Response:
    """Each service's readiness."""
    return JSONResponse({"services": await _states(resources)})


async def _states(resources: Resources) -> dict[str, str]:
    names = sorted(resources.clients)
    states = await asyncio.gather(*(_state(resources, name) for name in names))
    return dict(zip(names, states, strict=True))


async def _state(resources: Resources, name: str) -> str:
    try:
        answer = await resources.clients[name].request("GET", "/health/ready")
    except GroveError:
        return "unreachable"
    report: dict[str, Any] = answer.json()
    return str(report["status"])
