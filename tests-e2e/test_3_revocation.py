"""A revoked token is dead in every service and replica within a second, the broker up or down."""

import asyncio
import os
import time

import pytest

ROUNDS = 20 * int(os.environ.get("GROVE_ROUNDS", "1"))
POLL_SECONDS = 0.02


async def seconds_to_401(client, url: str, headers: dict[str, str], since: float) -> float:
    """Poll until the first 401; seconds since the revocation was confirmed."""
    while time.perf_counter() - since < 5:
        answer = await client.get(url, headers=headers)
        if answer.status_code == 401:
            return time.perf_counter() - since
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(POLL_SECONDS)
    return 5.0


async def worst_of(suite, person, rounds: int) -> float:
    paths = {
        "auth-api": "/api/v1/auth/me",
        "resource-api": "/api/v1/tasks",
        "notification-api": "/api/v1/notifications",
        "provider-sync-api": "/api/v1/connections",
    }
    urls = [
        f"https://{process['address']}{path}" for prefix, path in paths.items() for process in suite.processes(prefix)
    ]
    assert len(urls) >= 5
    worst = 0.0
    async with suite.inside() as inside:
        for _ in range(rounds):
            await person.login()
            headers = person.headers
            for url in urls:
                assert (await inside.get(url, headers=headers)).status_code == 200
            answer = await person.client.post(f"{suite.auth}/logout", headers=headers)
            since = time.perf_counter()
            assert answer.status_code == 204
            took = await asyncio.gather(*(seconds_to_401(inside, url, headers, since) for url in urls))
            worst = max(worst, *took)
    return worst


@pytest.fixture
def two_replicas(suite):
    suite.grove("stack", "up", "--scale", "resource-api=2")
    yield
    suite.grove("stack", "up", "--scale", "resource-api=1")


async def test_within_a_second_broker_up_and_broker_down(suite, ada, two_replicas):
    assert await worst_of(suite, ada, ROUNDS) < 1
    suite.grove("stack", "stop", "rabbitmq")
    try:
        assert await worst_of(suite, ada, ROUNDS) < 1
    finally:
        suite.grove("stack", "start", "rabbitmq")
