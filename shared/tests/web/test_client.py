"""Calls to other systems."""

import asyncio

import httpx2
import pytest

from grove.core.context import RequestContext, use_context
from grove.core.errors import UpstreamError, UpstreamTimeout
from grove.web.client import Breaker, CircuitOpen, HttpClient, outside_client


def client(answers, **options) -> tuple[HttpClient, list[httpx2.Request]]:
    """A client whose upstream gives these answers in turn; an exception is raised."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        found = answers[min(len(seen), len(answers)) - 1]
        if isinstance(found, Exception):
            raise found
        return httpx2.Response(found, json={"ok": True}, request=request)

    transport = httpx2.MockTransport(answer)
    return HttpClient("upstream", httpx2.AsyncClient(transport=transport, base_url="http://up.test"), **options), seen


async def test_a_read_is_tried_again_and_a_write_is_not():
    reading, seen = client([503, httpx2.ConnectError("no"), 200])
    assert (await reading.request("GET", "/x")).status_code == 200
    assert len(seen) == 3
    writing, seen = client([503, 200])
    with pytest.raises(UpstreamError, match="503"):
        await writing.request("POST", "/x")
    assert len(seen) == 1
    asked, seen = client([503, 200])
    assert (await asked.request("POST", "/x", retry=True)).status_code == 200
    await asked.aclose()


async def test_a_clients_error_is_an_answer():
    found, seen = client([404])
    assert (await found.request("GET", "/x")).status_code == 404
    assert len(seen) == 1


async def test_a_failure_can_be_the_answer_that_was_asked_for():
    found, seen = client([503], breaker=Breaker(failures=1))
    for _ in range(2):
        assert (await found.request("GET", "/health", answers={503})).json() == {"ok": True}
    assert len(seen) == 2, "it is not tried again, and opens no circuit"
    with pytest.raises(UpstreamError, match="503"):
        await found.request("GET", "/x", retry=False)


async def test_time_is_limited():
    slow, _ = client([httpx2.ReadTimeout("slow")])
    with pytest.raises(UpstreamTimeout):
        await slow.request("GET", "/x")

    async def hang(request):
        await asyncio.sleep(60)

    stuck = HttpClient(
        "stuck", httpx2.AsyncClient(transport=httpx2.MockTransport(hang), base_url="http://up.test"), total_seconds=0.05
    )
    with pytest.raises(UpstreamTimeout):
        await stuck.request("POST", "/x")


async def test_an_endless_answer_is_cut(monkeypatch):
    monkeypatch.setattr("grove.web.client.MAX_RESPONSE_BYTES", 5)
    large, _ = client([200])
    with pytest.raises(UpstreamError, match="more than 5"):
        await large.request("GET", "/x")


async def test_the_circuit_opens_and_lets_one_call_probe():
    clock = 100.0
    breaker = Breaker(failures=2, pause_seconds=5, clock=lambda: clock)
    failing, seen = client([500, 500, 500, 200], breaker=breaker, tries=1)
    for _ in range(2):
        with pytest.raises(UpstreamError):
            await failing.request("GET", "/x")
    with pytest.raises(CircuitOpen):
        await failing.request("GET", "/x")
    assert len(seen) == 2
    clock += 6
    with pytest.raises(UpstreamError):
        await failing.request("GET", "/x")
    with pytest.raises(CircuitOpen):
        await failing.request("GET", "/x")
    clock += 6
    assert (await failing.request("GET", "/x")).status_code == 200
    assert (await failing.request("GET", "/x")).status_code == 200


async def test_a_peer_without_the_right_identity_is_not_believed():
    found, _ = client([200], peer="spiffe://grove/auth")
    with pytest.raises(UpstreamError, match="not who it should be"):
        await found.request("GET", "/x")


async def test_request_id_travels_on():
    found, seen = client([200])
    with use_context(RequestContext("req-9")):
        await found.request("GET", "/x")
    assert seen[0].headers["x-request-id"] == "req-9"
    await outside_client("world", "http://127.0.0.1:1").aclose()
