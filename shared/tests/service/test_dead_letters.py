"""What a service tells the portal of its events, on a real RabbitMQ with the service's own rights."""

import asyncio
import json
from unittest.mock import AsyncMock

import httpx2
import pytest
import structlog
from fastapi import FastAPI
from structlog.testing import capture_logs

from grove.core.ids import new_id
from grove.messaging.broker import Broker, message
from grove.service.dead_letters import REPLAY_AT_ONCE, event_routes
from grove.testing.http import client_of
from grove.web import errors

pytestmark = pytest.mark.integration

QUEUES = ("provider-sync.events", "provider-sync.jobs")
ROUTES = "/internal/v1"


class Outbox:
    """An outbox of a certain age; None: its store is away."""

    age: float | None = 3.0

    async def oldest_age(self) -> float:
        if self.age is None:
            raise ConnectionError("away")
        return self.age


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
async def channel(brokers):
    async with brokers("operator").connection() as connection:
        channel = await connection.channel(publisher_confirms=True)
        for name in QUEUES:
            for queue in (name, f"{name}.dead"):
                await (await channel.get_queue(queue, ensure=False)).purge()
        yield channel
        for name in QUEUES:
            for queue in (name, f"{name}.dead"):
                await (await channel.get_queue(queue, ensure=False)).purge()


async def park(channel, *events: dict, queue: str = QUEUES[0]) -> list[str]:
    exchange = await channel.get_exchange("provider-sync.internal", ensure=False)
    ids = [str(new_id()) for _ in events]
    for name, event in zip(ids, events, strict=True):
        made = message(json.dumps(event).encode(), message_id=name, headers={"x-grove-reason": "ValueError: no"})
        await exchange.publish(made, routing_key=f"{queue}.dead")
    return ids


def app_of(broker: Broker, outbox: Outbox) -> FastAPI:
    app = FastAPI()
    errors.install(app)
    app.include_router(event_routes("provider-sync", broker, outbox, QUEUES[1]))
    return app


@pytest.fixture
async def client(brokers, channel, outbox):
    async with client_of(app_of(brokers("provider-sync"), outbox), peer="gateway") as client:
        yield client


async def test_only_the_gateway_is_answered(brokers, outbox):
    app = app_of(brokers("provider-sync"), outbox)
    for peer in ("traefik", "resource", "provider-sync", "operator"):
        async with client_of(app, peer=peer) as client:
            answers = [
                await client.get(f"{ROUTES}/events"),
                await client.get(f"{ROUTES}/dead-letters"),
                await client.get(f"{ROUTES}/dead-letters/one?id=x"),
                await client.post(f"{ROUTES}/dead-letters/replay", json={"actor_id": str(new_id())}),
            ]
        assert {answer.status_code for answer in answers} == {403}, peer


async def test_how_the_events_fare(client, channel, outbox):
    await park(channel, {}, {})
    await park(channel, {}, queue=QUEUES[1])
    answer = (await client.get(f"{ROUTES}/events")).json()
    assert answer["outbox_oldest_seconds"] == 3
    assert answer["problem"] == ""
    assert [(row["queue"], row["waiting"], row["dead"]) for row in answer["queues"]] == [
        (QUEUES[0], 0, 2),
        (QUEUES[1], 0, 1),
    ]
    outbox.age = None
    answer = (await client.get(f"{ROUTES}/events")).json()
    assert (answer["outbox_oldest_seconds"], len(answer["queues"])) == (None, 2)
    assert "outbox can't be read" in answer["problem"]


async def test_a_queue_that_no_worker_takes_from_is_told(client, brokers, channel):
    async def consumers() -> list[int]:
        return [row["consumers"] for row in (await client.get(f"{ROUTES}/events")).json()["queues"]]

    assert await consumers() == [0, 0]
    async with brokers("provider-sync").connection() as connection:
        queue = await (await connection.channel()).get_queue(QUEUES[1], ensure=False)
        await queue.consume(AsyncMock())
        assert await consumers() == [0, 1]


async def test_the_list_says_what_and_why_and_only_one_letter_says_the_data(client, channel):
    event = {"type": "auth.user.registered.v1", "subject": "u1", "data": {"email": "ada@example.com"}}
    ids = await park(channel, *[event] * 3)
    listed = await client.get(f"{ROUTES}/dead-letters", params={"limit": 2})
    assert [item["id"] for item in listed.json()["items"]] == ids[:2]
    assert (listed.json()["items"][0]["type"], listed.json()["items"][0]["reason"]) == (event["type"], "ValueError: no")
    assert "ada@" not in listed.text
    one = await client.get(f"{ROUTES}/dead-letters/one", params={"id": ids[2]})
    assert json.loads(one.json()["event"]) == event
    gone = await client.get(f"{ROUTES}/dead-letters/one", params={"id": "another"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")
    for wrong in ({"limit": 0}, {"limit": 101}):
        assert (await client.get(f"{ROUTES}/dead-letters", params=wrong)).status_code == 422
    for queue in ("resource.events", "provider-sync.revocations.x", ""):
        assert (await client.get(f"{ROUTES}/dead-letters", params={"queue": queue})).status_code == 404


async def test_letters_are_handed_back_and_who_did_it_is_logged(client, channel):
    ids = await park(channel, *[{}] * 3)
    actor = str(new_id())
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answer = await client.post(f"{ROUTES}/dead-letters/replay", json={"ids": [ids[1]], "actor_id": actor})
    assert answer.json() == {"replayed": 1, "left": 2}
    [told] = [line for line in logs if line["event"] == "dead_letters.replayed"]
    assert (told["user_id"], told["queue"], told["count"]) == (actor, QUEUES[0], 1)
    await park(channel, *[{}] * REPLAY_AT_ONCE)
    first = await client.post(f"{ROUTES}/dead-letters/replay", json={"actor_id": actor})
    assert first.json() == {"replayed": REPLAY_AT_ONCE, "left": 2}
    for wrong in ({"ids": []}, {"ids": ["x"]}, {"ids": None}, {"ids": ["x"] * 201, "actor_id": actor}):
        assert (await client.post(f"{ROUTES}/dead-letters/replay", json=wrong)).status_code == 422
    jobs = await client.post(
        f"{ROUTES}/dead-letters/replay", params={"queue": QUEUES[1]}, json={"ids": None, "actor_id": actor}
    )
    assert jobs.json() == {"replayed": 0, "left": 0}


async def test_a_rabbitmq_that_hangs_is_away_too(brokers, outbox):
    connected = []
    server = await asyncio.start_server(lambda *streams: connected.append(streams), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hanging = Broker(f"amqps://127.0.0.1:{port}/grove", brokers("provider-sync").tls, "hanging")
    async with server, client_of(app_of(hanging, outbox), peer="gateway") as client:
        answer = await client.get(f"{ROUTES}/dead-letters")
        assert connected
        for _, writer in connected:
            writer.close()
    assert (answer.status_code, answer.json()["error"]["code"]) == (424, "BROKER_AWAY")
    assert "does not answer in time" in answer.json()["error"]["message"]


async def test_without_rabbitmq_the_answer_says_so_and_is_no_5xx(brokers, outbox):
    away = Broker("amqps://127.0.0.1:1/grove", brokers("provider-sync").tls, "away")
    async with client_of(app_of(away, outbox), peer="gateway") as client:
        fare = await client.get(f"{ROUTES}/events")
        assert (fare.status_code, fare.json()["queues"], fare.json()["outbox_oldest_seconds"]) == (200, [], 3)
        assert "RabbitMQ can't be reached" in fare.json()["problem"]
        asked: list[httpx2.Response] = [
            await client.get(f"{ROUTES}/dead-letters"),
            await client.get(f"{ROUTES}/dead-letters/one?id=x"),
            await client.post(f"{ROUTES}/dead-letters/replay", json={"actor_id": str(new_id())}),
        ]
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in asked} == {(424, "BROKER_AWAY")}
