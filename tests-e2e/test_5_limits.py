"""The real rate limits, on a second stack with other ports beside the first."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from grove_stack.loopback import LoopbackTransport
from grove_stack.testing.stacks import new_folder, remove, start

EDGE_REFILLS_SECONDS = 2.5
"""The edge's own bucket (50/s, burst 100) must be full, or it would answer before the service's limit is reached."""


@pytest.fixture(scope="module")
def strict(suite) -> Iterator[object]:
    folder = new_folder()
    start(folder, limits="production", domain="grove.localhost")
    try:
        yield type(suite)(folder)
    finally:
        remove(folder)


async def asked(times: int, ask) -> Counter[int]:
    """The statuses of so many requests, eight at a time: all at once would be as many new connections to Valkey."""
    eight = asyncio.Semaphore(8)

    async def one() -> int:
        async with eight:
            return (await ask()).status_code

    return Counter(await asyncio.gather(*(one() for _ in range(times))))


async def test_production_limits_hold(strict, ada):
    async with strict.client() as client:
        person = type(ada)(strict, client)
        body = {"email": person.email, "password": "plant trees not walls", "name": "Ada"}
        answers = [await client.post(f"{strict.auth}/register", json=body) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
        assert answers[0].headers["ratelimit-policy"] == '"register";q=3;w=3600'
        assert int(answers[3].headers["retry-after"]) in range(1000, 1300)
        assert answers[3].json()["error"]["code"] == "RATE_LIMITED"
        wrong = {"email": person.email, "password": "wrong"}
        elsewhere = LoopbackTransport(verify=strict.tls, local_address="127.0.0.78")
        async with httpx2.AsyncClient(transport=elsewhere) as guesser:
            answers = [await guesser.post(f"{strict.auth}/login", json=wrong) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 3 + [403] * 2 + [429]
        admin = await client.post(f"{strict.auth}/login", json=strict.file["admin"])
        headers = {"Authorization": f"Bearer {admin.json()['access_token']}"}
        await asyncio.sleep(EDGE_REFILLS_SECONDS)
        began = time.monotonic()
        statuses = await asked(130, lambda: client.get(f"{strict.api}/tasks", headers=headers))
        refilled = (time.monotonic() - began) * 100 / 60
        assert set(statuses) == {200, 429}
        assert 100 <= statuses[200] <= 101 + refilled
        await asyncio.sleep(EDGE_REFILLS_SECONDS)
        began = time.monotonic()
        strangers = await asked(45, lambda: client.get(f"{strict.api}/tasks"))
        assert 30 <= strangers[401] <= 31 + (time.monotonic() - began) * 30 / 60
        assert strangers[401] + strangers[429] == 45


async def test_the_first_stack_is_not_disturbed(suite, strict, ada):
    assert suite.file["api_url"].startswith("https://api.localhost:")
    assert strict.file["api_url"].startswith("https://api.grove.localhost:")
    assert (await ada.call("GET", "/tasks")).status_code == 200


async def test_production_pins_https(strict):
    async with strict.client() as client:
        port = json.loads((strict.layout.root / "ports.json").read_text())["http"]
        plain = await client.get(f"http://api.grove.localhost:{port}/api/v1/tasks")
        assert plain.status_code in {301, 308}
        answer = await client.get(f"{strict.file['portal_url']}/")
        assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
