"""A revoked token is dead in every service and replica within a second, the broker up or down."""

import os
import time
from functools import partial

import pytest

ROUNDS = 20 * int(os.environ.get("GROVE_ROUNDS", "1"))


async def worst_of(suite, person, until_refused, rounds: int) -> float:
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
            asks = [partial(inside.get, url, headers=headers) for url in urls]
            worst = max(worst, await until_refused(since, *asks))
    return worst


@pytest.fixture
def two_replicas(suite):
    suite.grove("stack", "up", "--scale", "resource-api=2")
    yield
    suite.grove("stack", "up", "--scale", "resource-api=1")


@pytest.mark.timeout(1200)
async def test_within_a_second_broker_up_and_broker_down(suite, ada, two_replicas, until_refused):
    assert await worst_of(suite, ada, until_refused, ROUNDS) < 1
    suite.grove("stack", "stop", "rabbitmq")
    try:
        assert await worst_of(suite, ada, until_refused, ROUNDS) < 1
    finally:
        suite.grove("stack", "start", "rabbitmq")
