"""Budgets are kept in every window, pauses by every process; without Valkey each process keeps its own."""

import asyncio
import random

import pytest
from redis.exceptions import ConnectionError as Lost

from grove.core.ids import new_id
from grove.web.rate_limit import LocalBuckets
from grove_provider_sync.providers import turns as module
from grove_provider_sync.providers.interface import Budget, Description, ProviderThrottled
from grove_provider_sync.providers.turns import Turns, bucket, calling_for


def provider(**budgets) -> Description:
    return Description(f"p-{new_id().hex}", "Some Bank", "bank", (), **budgets)


@pytest.mark.parametrize("calls", [1, 2, 3, 4, 7, 50, 120])
@pytest.mark.parametrize("seconds", [1, 60])
def test_no_window_ever_holds_more_than_the_budget(monkeypatch, calls, seconds):
    """Asked in bursts, with lulls between them, at the worst moments."""
    clock = 0.0
    monkeypatch.setattr("grove.web.rate_limit.time.monotonic", lambda: clock)
    chance, limit, buckets = random.Random(calls), bucket("x", Budget(calls, seconds)), LocalBuckets()  # noqa: S311
    let_through: list[float] = []
    for _ in range(3000):
        clock += chance.choice((0, 0, 0, seconds / calls / 3, seconds / 2))
        if buckets.take("key", limit).allowed:
            let_through.append(clock)
    for position, begin in enumerate(let_through):
        assert sum(begin <= moment < begin + seconds for moment in let_through[position:]) <= calls
    assert len(let_through) > 100, "and it lets through what it may"


pytestmark = pytest.mark.integration


@pytest.fixture
def processes(resources):
    """Two processes that share a Valkey."""
    return [Turns(resources.valkey, "provider-sync", wait_seconds=0.05) for _ in range(2)]


class Gone:
    """A Valkey that can't be reached."""

    def __getattr__(self, _):
        async def lost(*_, **__):
            raise Lost("gone")

        return lost

    def pipeline(self, **_):
        return self

    def pttl(self, _):
        return self


async def taken(turns: Turns, bank: Description, times: int) -> int:
    count = 0
    for _ in range(times):
        try:
            await turns.take(bank)
        except ProviderThrottled:
            return count
        count += 1
    return count


async def test_the_budget_of_a_provider_is_shared_by_all_processes(processes):
    bank = provider(whole=Budget(8, 3600))
    assert [await taken(turns, bank, 2) for turns in processes] == [2, 0]
    with pytest.raises(ProviderThrottled) as told:
        await processes[1].take(bank)
    assert 0 < told.value.retry_after < 3600


async def test_each_connection_has_a_budget_and_does_not_spend_that_of_all(processes):
    bank, one, other = provider(whole=Budget(16, 3600), each=Budget(4, 3600)), new_id(), new_id()
    with calling_for(one):
        assert await taken(processes[0], bank, 9) == 1
    with calling_for(other):
        assert await taken(processes[1], bank, 9) == 1
    assert await taken(processes[0], bank, 9) == 2, "those that were refused are given back"


async def test_a_turn_that_comes_soon_is_waited_for(resources):
    turns, bank = Turns(resources.valkey, "provider-sync", wait_seconds=20), provider(whole=Budget(4, 0.5))
    async with asyncio.timeout(20):
        assert await taken(turns, bank, 5) == 5


async def test_a_pause_is_kept_by_every_process(processes):
    bank, other = provider(), provider()
    await processes[0].pause(bank, 60, whole=True)
    for turns in processes:
        with pytest.raises(ProviderThrottled) as told:
            await turns.take(bank)
        assert 55 < told.value.retry_after <= 60
        await turns.take(other)


async def test_a_pause_of_one_connection_stops_no_other(processes):
    bank, mine = provider(), new_id()
    with calling_for(mine):
        await processes[0].pause(bank, 60, whole=False)
    for connection_id in (new_id(), None):
        with calling_for(connection_id):
            await processes[1].take(bank)
    with calling_for(mine), pytest.raises(ProviderThrottled):
        await processes[1].take(bank)


async def test_a_pause_ends(processes):
    bank = provider()
    await processes[0].pause(bank, 0.02, whole=True)
    async with asyncio.timeout(20):
        for turns in processes:
            while await taken(turns, bank, 1) == 0:
                await asyncio.sleep(0.01)


async def test_without_valkey_a_process_keeps_its_own_budgets_and_pauses():
    turns, bank, paused = Turns(Gone(), "provider-sync", wait_seconds=0), provider(whole=Budget(8, 3600)), provider()
    assert await taken(turns, bank, 9) == 2
    await turns.pause(paused, 60, whole=True)
    with pytest.raises(ProviderThrottled):
        await turns.take(paused)


def test_what_is_called_for_ends_with_its_block():
    with calling_for(new_id()):
        assert module._CONNECTION.get() is not None
    assert module._CONNECTION.get() is None
