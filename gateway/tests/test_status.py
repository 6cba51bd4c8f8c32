"""What the status says of services and of their workers."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from grove.core.errors import UpstreamError
from grove.testing.http import client_of
from grove.web.client import HttpClient
from grove_gateway.main import build
from grove_gateway.resources import Resources
from grove_gateway.status import endpoints
from grove_gateway.status.service import StatusBoard, reports

OK = {"status": "ok", "failing": {}, "degraded": {}}
QUEUE = {"queue": "auth.events", "waiting": 0, "dead": 0, "consumers": 1}
QUIET = {"outbox_oldest_seconds": 0.0, "queues": [QUEUE], "problem": ""}


class Service:
    """A service behind the gateway's real client: what it answers by path, with which status."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, object]] = {"/health/ready": (200, OK), "/internal/v1/events": (200, QUIET)}
        self.asked = 0
        transport = httpx2.MockTransport(self._answer)
        client = httpx2.AsyncClient(transport=transport, base_url="http://auth.test")
        self.client = HttpClient("the auth service", client, tries=1)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        status, body = self.answers[request.url.path]
        if isinstance(body, Exception):
            raise body
        return httpx2.Response(status, json=body)

    def fares(self, **fare: object) -> None:
        """Its events fare like this, and else well."""
        self.answers["/internal/v1/events"] = 200, QUIET | fare


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def resources(settings, service, monkeypatch) -> AsyncIterator[Resources]:
    monkeypatch.setattr(endpoints, "_board", StatusBoard())
    resources = Resources(settings)
    resources.clients = {"auth": service.client}
    yield resources
    await resources.aclose()


async def report(resources: Resources) -> dict:
    return (await reports(resources))["auth"]


async def test_a_service_whose_workers_leave_nothing_undone_is_ok(resources):
    found = await report(resources)
    assert (found["status"], found["failing"], found["degraded"]) == ("ok", {}, {})


@pytest.mark.parametrize(
    ("fare", "part", "words"),
    [
        ({"queues": [QUEUE | {"consumers": 0}]}, "worker", "No worker takes from auth.events."),
        ({"queues": [QUEUE | {"dead": 3}]}, "dead_letters", "Could not be handled: 3 in auth.events."),
        ({"outbox_oldest_seconds": 41.2}, "outbox", "The oldest event waits for 41 s."),
        ({"queues": [], "problem": "RabbitMQ can't be reached."}, "events", "RabbitMQ can't be reached."),
    ],
)
async def test_what_workers_leave_undone_degrades(resources, service, fare, part, words):
    service.fares(**fare)
    found = await report(resources)
    assert (found["status"], found["degraded"]) == ("degraded", {part: words})


async def test_what_can_not_be_seen_is_no_fault(resources, service):
    service.fares(queues=[{"queue": "auth.events", "waiting": 9, "dead": 0}], outbox_oldest_seconds=None)
    assert (await report(resources))["status"] == "ok", "a service of before says nothing of consumers"
    service.fares(outbox_oldest_seconds=30.0)
    assert (await report(resources))["status"] == "ok"


async def test_a_service_that_is_not_ready_says_why(resources, service):
    body = {"status": "failing", "failing": {"postgres": "refused"}, "degraded": {"valkey": "away"}}
    service.answers["/health/ready"] = 503, body
    service.fares(queues=[QUEUE | {"dead": 1}])
    for _ in range(6):  # and goes on saying it: to be told is no failure of the call
        found = await report(resources)
        assert (found["status"], found["failing"]) == ("failing", {"postgres": "refused"})
        assert set(found["degraded"]) == {"valkey", "dead_letters"}


async def test_a_service_that_can_not_be_asked_is_unreachable(resources, service):
    service.answers = dict.fromkeys(service.answers, (200, UpstreamError("away")))
    found = await report(resources)
    assert (found["status"], found["failing"]) == ("unreachable", {"answer": "away"})


async def test_everyone_sees_states_a_moment_old(settings, resources, service):
    service.fares(queues=[QUEUE | {"consumers": 0}])
    async with client_of(build(settings, resources), base_url="https://portal.test") as client:
        for _ in range(3):
            assert (await client.get("/status.json")).json() == {"services": {"auth": "degraded"}}
        page = (await client.get("/status")).text
    assert service.asked == 2, "readiness and events, once"
    assert "Not everything works right now." in page
    assert "auth.events" not in page, "reasons are for operators"
