"""What waits, is delayed or parked shows in metrics and readiness, on a real RabbitMQ."""

import asyncio
import math

import pytest
from prometheus_client import REGISTRY

from grove.core.tasks import end
from grove.messaging import watch as module
from grove.messaging.broker import Broker, message
from grove.messaging.topology import RETRY_DELAYS, dead_queue_name, retry_queue_name
from grove.messaging.watch import LONG, LOOKS, QueueWatch
from grove.observability.health import Health

pytestmark = pytest.mark.integration

QUEUE = "provider-sync.jobs"
NAMES = (QUEUE, dead_queue_name(QUEUE), *(retry_queue_name(QUEUE, delay) for delay in RETRY_DELAYS))


@pytest.fixture
async def channel(brokers):
    async with brokers("operator").connection() as connection:
        channel = await connection.channel()
        for name in (*NAMES, "provider-sync.events", "provider-sync.events.dead"):
            await (await channel.get_queue(name, ensure=False)).purge()
        yield channel
        for name in NAMES:
            await (await channel.get_queue(name, ensure=False)).purge()


@pytest.fixture
async def watch(brokers, channel, monkeypatch):
    """As in provider-sync's worker, with the rights it has there."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    watch = QueueWatch(brokers("provider-sync"), "provider-sync", QUEUE)
    task = asyncio.create_task(watch.run())
    yield watch
    await end(task)


async def put(channel, queue: str, count: int) -> None:
    exchange = await channel.get_exchange("provider-sync.internal", ensure=False)
    await asyncio.gather(*(exchange.publish(message(b"{}", message_id="x"), routing_key=queue) for _ in range(count)))


def gauge(name: str, queue: str = QUEUE) -> float:
    return REGISTRY.get_sample_value(f"grove_events_{name}", {"queue": queue})


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def degraded(watch: QueueWatch) -> dict[str, str]:
    _, _, found = await Health(degrading=watch.checks).report()
    return found


async def test_what_waits_is_delayed_or_parked_is_counted(watch, channel):
    await until(lambda: watch.connected)
    assert (gauge("waiting"), gauge("delayed"), gauge("dead")) == (0, 0, 0)
    assert await degraded(watch) == {}
    await put(channel, QUEUE, 3)
    await put(channel, retry_queue_name(QUEUE, 600), 2)
    await put(channel, retry_queue_name(QUEUE, 120), 2)
    await put(channel, dead_queue_name(QUEUE), 1)
    await until(lambda: (gauge("waiting"), gauge("delayed"), gauge("dead")) == (3, 4, 1))
    assert gauge("dead", "provider-sync.events") == 0
    said = (await degraded(watch))["dead_letters"]
    assert said.startswith("1 of provider-sync.jobs could not be handled and waits")
    assert "`grove events dead list provider-sync --queue provider-sync.jobs`" in said
    await put(channel, "provider-sync.events.dead", 2)
    await until(lambda: gauge("dead", "provider-sync.events") == 2)
    assert "`grove events dead list provider-sync`" in (await degraded(watch))["dead_letters"]
    await (await channel.get_queue("provider-sync.events.dead", ensure=False)).purge()


async def test_a_queue_that_does_not_become_shorter_degrades(watch, channel):
    await put(channel, QUEUE, LONG)
    await until(lambda: gauge("waiting") == LONG)

    async def told() -> None:
        async with asyncio.timeout(20):
            while "queue" not in (found := await degraded(watch)):
                await asyncio.sleep(0.01)
        assert f"{LONG} events wait in {QUEUE}" in found["queue"]
        assert "provider-sync's workers" in found["queue"]

    await told()


@pytest.mark.parametrize(
    ("looks", "grows"),
    [
        ([LONG] * LOOKS, True),
        ([*range(LONG, LONG + LOOKS)], True),
        ([LONG] * (LOOKS - 1), False),
        ([LONG + 1, *[LONG] * (LOOKS - 1)], False),
        ([0, *[10_000] * (LOOKS - 1)], False),
        ([LONG - 1] * LOOKS, False),
    ],
    ids=["stays", "grows", "not yet a minute", "becomes shorter", "a burst", "short"],
)
async def test_what_counts_as_growing(looks, grows):
    watch = QueueWatch(Broker("amqps://127.0.0.1:1/grove", None, ""), "auth")
    watch._waiting["auth.events"] = module.deque(looks, maxlen=LOOKS)
    assert ("queue" in await degraded(watch)) == grows


async def test_what_can_not_be_known_is_not_told(watch, channel, monkeypatch):
    await put(channel, dead_queue_name(QUEUE), 1)
    await until(lambda: gauge("dead") == 1)

    async def lost(*_) -> int:
        raise ConnectionError("lost")

    monkeypatch.setattr(module, "messages_in", lost)
    await until(lambda: not watch.connected)
    assert math.isnan(gauge("dead"))
    assert math.isnan(gauge("waiting"))
    assert await degraded(watch) == {}
    monkeypatch.undo()
    await until(lambda: watch.connected)
    assert gauge("dead") == 1
