import asyncio
import time

import pytest
from redis.asyncio import Redis

from grove.core.errors import RateLimited
from grove.core.ids import new_id
from grove.valkey.client import create_valkey
from grove.web.rate_limit import Limit, LocalBuckets, RateLimiter


@pytest.fixture
async def valkey(settings):
    """Patient, as exact numbers are asked of it: who gives up on a slow one counts alone."""
    client: Redis = create_valkey(settings)
    client.connection_pool.connection_kwargs |= {"socket_timeout": 30, "socket_connect_timeout": 30}
    yield client
    await client.aclose()


async def taken(limiter: RateLimiter, limit: Limit, key: str, tries: int) -> int:
    async def one() -> bool:
        try:
            await limiter.enforce(limit, key)
        except RateLimited:
            return False
        return True

    return sum(await asyncio.gather(*(one() for _ in range(tries))))


@pytest.mark.integration
async def test_two_processes_share_one_bucket_exactly(valkey):
    limit, key = Limit("shared", 10, 3600), str(new_id())
    first, second = RateLimiter(valkey, "resource"), RateLimiter(valkey, "resource")
    counts = await asyncio.gather(taken(first, limit, key, 20), taken(second, limit, key, 20))
    assert sum(counts) == 10


@pytest.mark.integration
async def test_tokens_come_back_evenly(valkey):
    limit, key = Limit("even", 10, 1), str(new_id())
    limiter = RateLimiter(valkey, "resource")
    began = time.monotonic()
    first = await taken(limiter, limit, key, 60)
    await asyncio.sleep(0.35)
    second = await taken(limiter, limit, key, 60)
    elapsed = time.monotonic() - began
    assert second >= 3
    assert 13 <= first + second <= 10 + 10 * elapsed


@pytest.mark.integration
async def test_the_development_profile_multiplies(valkey):
    limiter = RateLimiter(valkey, "resource", factor=100)
    assert await taken(limiter, Limit("dev", 1, 3600), str(new_id()), 50) == 50


async def test_without_valkey_the_process_counts_alone():
    away = Redis(port=1, socket_connect_timeout=0.2)
    limiter = RateLimiter(away, "resource")
    assert await taken(limiter, Limit("local", 5, 3600), "k", 8) == 5


def test_local_buckets_are_bounded():
    buckets = LocalBuckets()
    for number in range(10_050):
        buckets.take(str(number), Limit("x", 1, 60))
    assert len(buckets._buckets) == 10_000


@pytest.mark.integration
async def test_what_is_given_back_can_be_taken_again_and_is_never_more_than_all(valkey):
    limit, key = Limit("given-back", 3, 3600), str(new_id())
    limiter = RateLimiter(valkey, "resource")
    await limiter.give_back(limit, key)
    assert [(await limiter.take(limit, key)).allowed for _ in range(4)] == [True, True, True, False]
    await limiter.give_back(limit, key)
    again = [await limiter.take(limit, key) for _ in range(2)]
    assert [decision.allowed for decision in again] == [True, False]
    assert 1100 < again[-1].reset <= 1200


async def test_a_process_alone_gives_back_too():
    buckets, limit = LocalBuckets(), Limit("given-back", 2, 3600)
    buckets.take("key", limit, -1)
    assert [buckets.take("key", limit).allowed for _ in range(3)] == [True, True, False]
    buckets.take("key", limit, -1)
    assert [buckets.take("key", limit).allowed for _ in range(2)] == [True, False]
