"""Asks the services how they are, and what their workers leave undone.

A worker's own readiness is on its ops listener, which nobody else reaches. What a worker does not do is seen from its
service: nobody takes from a queue, letters are dead, the outbox grows old.
"""

import asyncio
import time
from typing import Any

from grove.core.errors import GroveError
from grove.web.client import HttpClient
from grove_gateway.answers import facts_in
from grove_gateway.dead_letters.service import Fare, fare_of
from grove_gateway.resources import Resources

KEPT_SECONDS = 2.0
"""For everyone: who loads the page often does not ask the services, and RabbitMQ, as often."""
OLD_SECONDS = 30
"""An outbox as old as this degrades, as in its worker's readiness."""

Report = dict[str, Any]
"""`status`, what is `failing` and `degraded`: names with their sentences, and `fare`: how its events fare."""


class StatusBoard:
    """States for everyone, a moment old at most."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def states(self, resources: Resources) -> dict[str, str]:
        """Each service's state, without reasons."""
        async with self._asking:
            if time.monotonic() >= self._until:
                found = await reports(resources)
                self._kept = {name: str(report["status"]) for name, report in found.items()}
                self._until = time.monotonic() + KEPT_SECONDS
            return self._kept


async def reports(resources: Resources) -> dict[str, Report]:
    """Each service's answer about itself, and what its workers leave undone."""
    names = sorted(resources.clients)
    found = await asyncio.gather(*(_report(resources.clients[name]) for name in names))
    return dict(zip(names, found, strict=True))


async def _report(client: HttpClient) -> Report:
    ready, fare = await asyncio.gather(_ready(client), fare_of(client))
    degraded = _undone(fare) | ready["degraded"]
    status = "degraded" if ready["status"] == "ok" and degraded else ready["status"]
    return {**ready, "status": status, "degraded": degraded, "fare": fare}


async def _ready(client: HttpClient) -> Report:
    try:
        answer = await client.request("GET", "/health/ready", answers={503})
        return {"failing": {}, "degraded": {}, **facts_in(answer)}
    except GroveError as error:
        return {"status": "unreachable", "failing": {"answer": error.message}, "degraded": {}}


def _undone(fare: Fare) -> dict[str, str]:
    """What degrades the service's workers, as far as it can be seen from here."""
    idle = [queue["queue"] for queue in fare["queues"] if queue.get("consumers") == 0]
    dead = [f"{queue['dead']} in {queue['queue']}" for queue in fare["queues"] if queue["dead"]]
    old = fare["outbox_oldest_seconds"]
    found = {
        "worker": f"No worker takes from {' and '.join(idle)}." if idle else "",
        "dead_letters": f"Could not be handled: {', '.join(dead)}." if dead else "",
        "outbox": f"The oldest event waits for {old:.0f} s." if old is not None and old > OLD_SECONDS else "",
        "events": str(fare["problem"]),
    }
    return {name: words for name, words in found.items() if words}
