"""An operator's day, through the whole suite: a poison event is seen, looked at, handed back and thrown away."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aio_pika.abc import AbstractChannel

from grove.contracts.auth import ApiKeyDeleted
from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.operator import Operator
from grove.messaging.broker import message
from grove.messaging.dead_letters import messages_in
from grove.messaging.operator_access import broker_of
from grove.messaging.topology import EVENTS
from grove.outbox.event import outbox_event
from grove_stack.testing.stacks import command, environment

COOKIE = "__Host-grove_operator"
QUEUE = "notification.events"
LETTERS = "/operator/dead-letters/notification"


class Desk:
    """The administrator at the portal, the command line and the broker."""

    def __init__(self, suite, client, token: str) -> None:
        self._suite, self._client = suite, client
        self._cookie = {"Cookie": f"{COOKIE}={token}"}
        self.portal = suite.file["portal_url"]

    async def page(self, path: str):
        return await self._client.get(f"{self.portal}{path}", headers=self._cookie)

    async def replay(self, ids: list[str] | None):
        body = {"queue": QUEUE, "ids": ids}
        headers = self._cookie | {"Origin": self.portal}
        return await self._client.post(f"{self.portal}{LETTERS}/replay", json=body, headers=headers)

    def dead(self, *words: str) -> str:
        return self._suite.grove("events", "dead", *words)

    def count(self) -> int:
        return int(re.search(rf"{QUEUE} +(\d+)", self.dead("list")).group(1))

    async def degraded(self) -> dict[str, str]:
        ops = self._suite.process("notification-worker")["ops_address"]
        return (await self._client.get(f"http://{ops}/health/ready")).json()["degraded"]

    async def metric(self, name: str) -> float:
        ops = self._suite.process("notification-worker")["ops_address"]
        text = (await self._client.get(f"http://{ops}/metrics")).text
        return float(re.search(rf'^{name}{{queue="{QUEUE}"}} (\S+)$', text, re.MULTILINE).group(1))

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        access = Operator.model_validate_json((self._suite.folder / "operator.json").read_bytes())
        async with broker_of(access).connection() as connection:
            yield await connection.channel(publisher_confirms=True, on_return_raises=True)

    async def publish(self, exchange: str, key: str, event_id: str, event: dict, **headers: object) -> None:
        async with self.channel() as channel:
            made = message(json.dumps(event).encode(), message_id=event_id, headers=headers)
            await (await channel.get_exchange(exchange, ensure=False)).publish(made, routing_key=key, mandatory=True)


@pytest.fixture
async def desk(suite, client) -> Desk:
    answer = await client.post(f"{suite.auth}/login", json=suite.file["admin"])
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Origin": suite.file["portal_url"]}
    assert (await client.post(f"{suite.file['portal_url']}/operator/session", headers=headers)).status_code == 204
    client.cookies.clear()
    return Desk(suite, client, token)


async def test_a_poison_event_is_seen_looked_at_handed_back_and_thrown_away(desk, wait_until):
    poison = {"specversion": "1.0", "id": str(new_id()), "source": "/grove/auth", "type": ApiKeyDeleted.type}
    poison |= {"subject": str(new_id()), "time": "2026-01-01T00:00:00Z", "sequence": 1, "data": {"user_id": "nobody's"}}
    await desk.publish(EVENTS, ApiKeyDeleted.type, poison["id"], poison)

    async def seen() -> bool:
        return "dead_letters" in await desk.degraded()

    await wait_until(seen, 30)
    assert "grove events dead list notification" in (await desk.degraded())["dead_letters"]
    assert await desk.metric("grove_events_dead") == 1
    assert desk.count() == 1
    assert f"{poison['id']}  {ApiKeyDeleted.type}  1 try" in desk.dead("list", "notification")
    assert "nobody's" in desk.dead("show", "notification", poison["id"])

    assert "1 dead letter<" in (await desk.page("/operator")).text
    assert f'{LETTERS}?queue={QUEUE}">1: look at them' in (await desk.page("/operator/dead-letters")).text
    listed = await desk.page(f"{LETTERS}?queue={QUEUE}")
    assert all(shown in listed.text for shown in (poison["id"], poison["subject"], "not a valid event"))
    assert "nobody" not in listed.text
    assert "nobody&#39;s" in (await desk.page(f"{LETTERS}/letter?queue={QUEUE}&id={poison['id']}")).text

    answer = await desk.replay([poison["id"]])
    assert (answer.status_code, answer.json()["replayed"]) == (200, 1)

    async def parked_again() -> bool:
        return desk.count() == 1

    await wait_until(parked_again, 30)
    assert "Purged 1." in desk.dead("purge", "notification", "--id", poison["id"], "--yes")
    assert "There are none" in (await desk.page(f"{LETTERS}?queue={QUEUE}")).text

    async def well() -> bool:
        return "dead_letters" not in await desk.degraded()

    await wait_until(well, 30)


async def test_every_worker_watches_its_queues(suite, client):
    queues = {name: [f"{name}.events"] for name in ("auth", "resource", "notification", "provider-sync")}
    queues["provider-sync"].append("provider-sync.jobs")
    for service, own in queues.items():
        ops = suite.process(f"{service}-worker")["ops_address"]
        scraped = (await client.get(f"http://{ops}/metrics")).text
        found = re.findall(r'^grove_events_dead{queue="(.+)"} \d', scraped, re.MULTILINE)
        assert sorted(found) == sorted(own)
        assert re.search(r"^grove_outbox_oldest_seconds \d", scraped, re.MULTILINE)


async def test_what_is_handed_back_has_its_effect_once(desk, ada, wait_until):
    """Parked as a consumer parks, for a reason that is gone now; handed back twice, as after a kill."""
    me = (await ada.client.get(f"{ada.suite.auth}/me", headers=ada.headers)).json()["id"]
    tasks = [new_id(), new_id()]
    for task in tasks:
        fact = TaskCreated(task_id=task, user_id=me, title="Parked", created_at=now())
        event = outbox_event("resource", fact, sequence=1)
        for _ in range(2):
            await desk.publish(
                "notification.internal",
                f"{QUEUE}.dead",
                str(event.id),
                json.loads(event.body),
                **{"x-grove-reason": "ConnectionError: gone", "x-grove-attempt": 6},
            )
    assert "ConnectionError: gone" in (await desk.page(f"{LETTERS}?queue={QUEUE}")).text
    assert (await desk.replay(None)).json() == {"replayed": 4, "left": 0}

    async def told() -> bool:
        return {str(task) for task in tasks} <= set(await ada.notified_tasks())

    await wait_until(told, 30)
    assert sorted(await ada.notified_tasks()) == sorted(str(task) for task in tasks)
    assert desk.count() == 0


async def test_a_killed_replay_loses_and_doubles_nothing(suite, desk, ada, wait_until):
    """Killed as soon as some letters are gone from where they were parked, as often as it takes to hand all back."""
    me = (await ada.client.get(f"{ada.suite.auth}/me", headers=ada.headers)).json()["id"]
    facts = [TaskCreated(task_id=new_id(), user_id=me, title="Parked", created_at=now()) for _ in range(800)]
    events = [outbox_event("resource", fact, sequence=1) for fact in facts]
    async with desk.channel() as channel:
        exchange = await channel.get_exchange("notification.internal", ensure=False)
        made = [message(event.body, message_id=str(event.id)) for event in events]
        await asyncio.gather(*(exchange.publish(each, routing_key=f"{QUEUE}.dead") for each in made))
        left, rounds = len(events), 0
        while left:
            grove = Path(sys.executable).parent / "grove"
            replaying = await asyncio.create_subprocess_exec(
                grove, "events", "dead", "replay", "notification", env=environment(suite.folder)
            )
            while replaying.returncode is None and await messages_in(channel, f"{QUEUE}.dead") >= left:
                await asyncio.sleep(0.005)
            if rounds < 3 and replaying.returncode is None:
                replaying.kill()
            await replaying.wait()
            while (await channel.declare_queue(f"{QUEUE}.dead", passive=True)).declaration_result.consumer_count:
                await asyncio.sleep(0.05)  # what it held comes back when the broker sees it gone
            left, rounds = await messages_in(channel, f"{QUEUE}.dead"), rounds + 1

    async def told() -> bool:
        return {str(fact.task_id) for fact in facts} <= set(await ada.notified_tasks())

    await wait_until(told, 90)
    assert len(await ada.notified_tasks()) == len(facts)


async def test_without_the_broker_the_pages_say_so(suite, desk, wait_until):
    suite.grove("stack", "stop", "rabbitmq")
    try:
        counts = await desk.page("/operator/dead-letters")
        assert (counts.status_code, counts.text.count("RabbitMQ can&#39;t be reached")) == (200, 4)
        listed = await desk.page(f"{LETTERS}?queue={QUEUE}")
        assert (listed.status_code, "RabbitMQ can&#39;t be reached" in listed.text) == (502, True)
        told = await desk.replay(None)
        assert (told.status_code, "Dead letters stay where they are" in told.json()["error"]["message"]) == (502, True)
        shown = await desk.page("/operator")
        assert (shown.status_code, "outbox is empty" in shown.text) == (200, True), "what can be known is told"
        for words in ("list",), ("list", "notification"), ("replay", "notification"):
            done = command(suite.folder, "events", "dead", *words)
            assert (done.returncode, "can't be reached" in done.stdout) == (1, True)
            assert "Traceback" not in done.stdout + done.stderr
    finally:
        suite.grove("stack", "start", "rabbitmq")

    async def back() -> bool:
        return "RabbitMQ" not in (await desk.page("/operator/dead-letters")).text

    await wait_until(back, 30)


async def test_every_mail_is_shown_in_every_language(desk):
    listed = await desk.page("/operator/mails")
    links = re.findall(r'href="(/operator/mails/(\w+)\?locale=(\w+))"', listed.text)
    assert {"en", "de"} == {locale for _, _, locale in links}
    assert len(links) > 20
    for path, name, locale in links:
        page = await desk.page(path)
        assert page.status_code == 200, path
        assert f'src="/operator/mails/{name}/{locale}"' in page.text
        frame = await desk.page(f"/operator/mails/{name}/{locale}")
        assert (frame.status_code, "<html" in frame.text) == (200, True), path
        assert frame.headers["content-security-policy"].startswith("sandbox;")
        assert frame.headers["x-frame-options"] == "SAMEORIGIN"


async def test_the_pages_are_for_operators_and_the_routes_behind_them_for_the_gateway(suite, client, desk, ada):
    for path in ("/operator/dead-letters", f"{LETTERS}?queue={QUEUE}", "/operator/mails"):
        theirs = {"Cookie": f"{COOKIE}={ada.tokens['access_token']}"}
        assert (await client.get(f"{desk.portal}{path}", headers=theirs)).status_code == 403
        assert (await client.get(f"{desk.portal}{path}")).status_code == 303
    for service in ("auth", "resource", "notification", "provider-sync"):
        own = f"https://{suite.process(f'{service}-api')['address']}/internal/v1/events"
        for peer, status in (("gateway", 200), ("traefik", 403), ("resource", 403)):
            async with suite.inside(peer) as inside:
                assert (await inside.get(own)).status_code == status, (service, peer)
        assert (await client.get(f"{suite.file['api_url']}/internal/v1/events")).status_code == 404
