"""Asks the services how they are."""

import asyncio
from typing import Any

from grove.core.errors import GroveError
from grove_gateway.answers import facts_in
from grove_gateway.resources import Resources

Report = dict[str, Any]
"""`status`, and what is `failing` and `degraded`: names with their sentences."""


async def reports(resources: Resources) -> dict[str, Report]:
    """Each service's answer about itself."""
    names = sorted(resources.clients)
    found = await asyncio.gather(*(_report(resources, name) for name in names))
    return dict(zip(names, found, strict=True))


async def _report(resources: Resources, name: str) -> Report:
    try:
        answer = await resources.clients[name].request("GET", "/health/ready")
        return {"failing": {}, "degraded": {}, **facts_in(answer)}
    except GroveError as error:
        return {"status": "unreachable", "failing": {"answer": error.message}, "degraded": {}}
