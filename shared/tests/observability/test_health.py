import asyncio

import httpx2
import pytest

from grove.observability import health as module
from grove.observability.health import Health, ops_app, while_true


async def fine() -> None:
    return None


async def broken() -> str:
    raise ConnectionError("no route")


async def get(health: Health, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(ops_app(health)), base_url="http://ops") as client:
        return await client.get(path)


async def test_ready_degraded_and_failing():
    assert (await get(Health({"database": fine}), "/health/ready")).json()["status"] == "ok"
    degraded = await get(Health({"database": fine}, {"cache": while_true(lambda: False, "lost")}), "/health/ready")
    assert (degraded.status_code, degraded.json()["degraded"]) == (200, {"cache": "lost"})
    failing = await get(Health({"database": broken}), "/health/ready")
    assert failing.status_code == 503
    assert failing.headers["retry-after"] == "1"
    assert "no route" in failing.json()["failing"]["database"]


async def test_a_check_that_hangs_is_a_failing_check(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)

    async def hang() -> None:
        await asyncio.sleep(60)

    assert "no answer" in (await get(Health({"database": hang}), "/health/ready")).json()["failing"]["database"]


async def test_live_and_metrics():
    assert (await get(Health(), "/health/live")).json() == {"status": "ok"}
    metrics = await get(Health(), "/metrics")
    assert "grove_outbox_oldest_seconds" in metrics.text


async def test_a_scrape_alone_sees_what_the_checks_feed():
    asked = []

    async def feeding() -> str:
        asked.append(1)
        return "old"

    assert (await get(Health({"database": broken}, {"outbox": feeding}), "/metrics")).status_code == 200
    assert asked == [1]
