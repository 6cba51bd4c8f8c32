"""The worker's part, by a worker process: it sweeps, it scans, and its health says when it can't."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from grove.core.ids import new_id
from grove_stack.testing.clamav import MALWARE, Clamav

pytestmark = [pytest.mark.integration, pytest.mark.by_processes]


@pytest.fixture
def clamav():
    problem = Clamav.missing()
    if problem:
        pytest.skip(problem)
    clamav = Clamav()
    clamav.start()
    yield clamav
    clamav.remove()


@pytest.fixture
def ops_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
async def worker(stores, folder, clamav, ops_port, resources, monkeypatch) -> AsyncIterator[None]:
    scanned = resources.settings.model_copy(update={"clamd_socket": str(clamav.socket)})
    monkeypatch.setattr(resources, "settings", scanned)
    own = {
        "FILES_URL": f"file://{folder}",
        "FILES_SWEEP_SECONDS": "1",
        "CLAMD_SOCKET": str(clamav.socket),
        "PORT": "0",
        "OPS_PORT": str(ops_port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "grove_resource",
        "worker",
        env={**os.environ, **stores.environment("resource"), **own},
        stdout=asyncio.subprocess.DEVNULL,
    )
    yield
    process.terminate()
    await process.wait()


@pytest.fixture
def degraded(ops_port):
    """What its health says is wrong; None while it does not answer."""

    async def degraded() -> dict[str, str] | None:
        try:
            async with httpx2.AsyncClient(trust_env=False) as client:
                return dict((await client.get(f"http://127.0.0.1:{ops_port}/health/ready")).json()["degraded"])
        except httpx2.TransportError:
            return None

    return degraded


async def test_it_sweeps_and_scans_and_tells_of_a_lost_scanner(ada, worker, folder, clamav, degraded, wait_for):
    left_over = folder / "attachments" / str(new_id())
    left_over.parent.mkdir(parents=True)
    left_over.write_bytes(b"nobody names me")
    day_ago = time.time() - 24 * 3600
    os.utime(left_over, (day_ago, day_ago))
    url = await ada.task()
    for content in (b"oak", MALWARE):
        await ada.attached(url, content)

    async def states() -> list[str]:
        return [item["state"] for item in (await ada.call("GET", f"{url}?sort=created_at")).json()["items"]]

    async def done() -> bool:
        return await states() == ["available", "quarantined"] and not left_over.exists()

    async def complains() -> bool:
        return "scanner" in (await degraded() or {})

    await wait_for(done)
    assert not await complains()
    clamav.stop()
    await ada.attached(url, b"elm")
    await wait_for(complains)
    assert await states() == ["available", "quarantined", "scanning"]


@pytest.fixture
def wait_for():
    async def wait_for(condition) -> None:
        async with asyncio.timeout(60):
            while not await condition():
                await asyncio.sleep(0.1)

    return wait_for
