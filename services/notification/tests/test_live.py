"""The live stream, over a real listener and a real Valkey."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import uvicorn
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from grove.contracts.resource import TaskCreated, TaskUpdated
from grove.core.clock import now
from grove.core.errors import ServiceUnavailable
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.service.server import _Server
from grove_notification.live.connection import SIGN_IN_CHECK_SECONDS, LiveConnection
from grove_stack.ports import free_port

pytestmark = pytest.mark.integration


def created(user, title: str = "Plant") -> TaskCreated:
    return TaskCreated(task_id=new_id(), user_id=user, title=title, created_at=now())


@pytest.fixture
async def url(app, resources):
    port = free_port()
    server = _Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    serving, hub = asyncio.create_task(server.serve()), asyncio.create_task(resources.hub.run())
    while not (server.started and resources.hub.subscribed):
        await asyncio.sleep(0.01)
    yield f"ws://127.0.0.1:{port}/api/v1/notifications/stream"
    server.should_exit = True
    await end(hub)
    await serving


class Stream:
    def __init__(self, socket) -> None:
        self.socket = socket
        self.kinds: list[str] = []

    async def frame(self, kind: str) -> dict:
        async with asyncio.timeout(5):
            while True:
                frame = json.loads(await self.socket.recv())
                self.kinds.append(frame["type"])
                if frame["type"] == kind:
                    return frame

    async def close_code(self) -> int:
        try:
            async with asyncio.timeout(5):
                while True:
                    await self.socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code


@asynccontextmanager
async def streaming(url: str, headers=None, **options):
    async with websockets.connect(url, additional_headers=headers, proxy=None, **options) as socket:
        yield Stream(socket)


async def test_a_fact_is_pushed_to_every_connection_of_its_user_only(url, issuer, happen):
    me, other = new_id(), new_id()
    async with (
        streaming(url, issuer.headers(me)) as first,
        streaming(url, issuer.headers(me)) as second,
        streaming(url, issuer.headers(other)) as stranger,
    ):
        for stream in (first, second, stranger):
            assert (await stream.frame("unread_count"))["data"] == {"count": 0}
        fact = created(me)
        await happen("resource", fact)
        for stream in (first, second):
            changed = await stream.frame("task.changed")
            assert (changed["data"]["id"], changed["data"]["change"]) == (str(fact.task_id), "created")
            assert changed["data"]["etag"].endswith('-1"')
            frame = await stream.frame("notification")
            assert (frame["data"]["type"], frame["id"]) == ("TASK_CREATED", frame["data"]["id"])
            assert (await stream.frame("unread_count"))["data"] == {"count": 1}
        theirs = created(other)
        await happen("resource", theirs)
        assert (await stranger.frame("task.changed"))["data"]["id"] == str(theirs.task_id)
        assert [kind for kind in stranger.kinds if kind != "ping"] == ["unread_count", "task.changed"], "nothing before"


async def test_a_quiet_fact_only_lets_open_lists_know(client, url, issuer, happen):
    me, friend = new_id(), new_id()
    fact = TaskUpdated(
        task_id=new_id(),
        user_id=me,
        title="T",
        participants=[friend],
        changed=["tags"],
        updated_at=now(),
        quiet=True,
    )
    async with streaming(url, issuer.headers(me)) as mine, streaming(url, issuer.headers(friend)) as theirs:
        await happen("resource", fact, sequence=7)
        for stream, user in ((mine, me), (theirs, friend)):
            changed = await stream.frame("task.changed")
            assert (changed["data"]["id"], changed["data"]["change"]) == (str(fact.task_id), "updated")
            assert changed["data"]["etag"].endswith('-7"')
            told = await client.get("/api/v1/notifications", headers=issuer.headers(user))
            assert told.json()["total"] == 0


async def test_the_token_may_come_as_a_subprotocol(url, issuer, happen):
    me = new_id()
    async with streaming(url, subprotocols=["grove.v1", f"bearer.{issuer.token(me)}"]) as stream:
        assert stream.socket.subprotocol == "grove.v1"
        await happen("resource", created(me))
        assert await stream.frame("notification")


async def test_a_ticket_is_good_once(url, issuer, client):
    answer = await client.post("/api/v1/notifications/stream-tickets", headers=issuer.headers())
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 30)
    ticket = answer.json()["ticket"]
    async with streaming(f"{url}?ticket={ticket}") as stream:
        assert await stream.frame("unread_count")
    with pytest.raises(InvalidStatus) as refused:
        async with streaming(f"{url}?ticket={ticket}"):
            pass
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"scope": "tasks:read"}, 403),
        ({"Origin": "https://evil.test"}, 403),
    ],
)
async def test_who_may_not_connect_is_told_by_http(url, issuer, headers, status):
    sent = issuer.headers(scope=headers["scope"]) if "scope" in headers else headers
    if "Origin" in headers:
        sent = issuer.headers() | headers
    with pytest.raises(InvalidStatus) as refused:
        async with streaming(url, sent):
            pass
    assert refused.value.response.status_code == status


async def test_what_was_missed_is_replayed(url, issuer, happen, client):
    me = new_id()
    for number in range(3):
        await happen("resource", created(me, f"T{number}"))
    items = (await client.get("/api/v1/notifications?sort=created_at", headers=issuer.headers(me))).json()["items"]
    async with streaming(f"{url}?resume_from={items[0]['id']}", issuer.headers(me)) as stream:
        missed = [(await stream.frame("notification"))["id"] for _ in range(2)]
        assert missed == [item["id"] for item in items[1:]]
        await happen("resource", created(me, "T3"))
        assert (await stream.frame("notification"))["data"]["message"] == "“T3” was created."


@pytest.fixture
def answers(gate, monkeypatch) -> list[bool]:
    """What the gate said so far, to whoever asked."""
    answers, admits = [], gate.admits

    async def heard(principal) -> bool:
        answers.append(await admits(principal))
        return answers[-1]

    monkeypatch.setattr(gate, "admits", heard)
    return answers


async def test_a_revoked_session_is_closed_within_a_second(url, issuer, gate, answers):
    """By the first look at it; how long that takes beyond the pause before it is the machine's."""
    async with streaming(url, issuer.headers(sid="s9")) as stream:
        await stream.frame("unread_count")
        gate.revoked.add("s9")
        assert await stream.close_code() == 4401
    assert answers.count(False) == 1
    assert SIGN_IN_CHECK_SECONDS < 1


async def test_a_sign_in_that_nobody_can_check_ends_the_stream_after_a_while(url, issuer, gate, monkeypatch):
    monkeypatch.setattr("grove_notification.live.connection.UNKNOWN_SECONDS", 0.6)
    async with streaming(url, issuer.headers()) as stream:
        await stream.frame("unread_count")

        async def away(_):
            raise ServiceUnavailable

        monkeypatch.setattr(gate, "admits", away)
        assert await stream.close_code() == 1013


async def test_an_expired_token_ends_the_stream_and_a_renewed_one_keeps_it(
    url, issuer, resources, answers, monkeypatch
):
    me, soon = new_id(), now() + timedelta(seconds=60)
    headers = issuer.headers(me, exp=int(soon.timestamp()))
    async with streaming(url, headers) as kept, streaming(url, headers) as cut, asyncio.timeout(60):
        await kept.socket.send(json.dumps({"ack": "x"}))
        await kept.socket.send(json.dumps({"token": issuer.token(me)}))
        while all(one._principal.expires_at <= soon for one in resources.hub._listeners.get(me, ())):
            await asyncio.sleep(0.01)
        monkeypatch.setattr("grove_notification.live.connection.now", lambda: soon)
        assert await cut.close_code() == 4401
        looked = len(answers)
        while len(answers) == looked:
            await asyncio.sleep(0.01)
        await (await kept.socket.ping())


@pytest.mark.parametrize(
    ("message", "code"), [("nonsense", 4400), ("[]", 4400), ('{"x": 1}', 4400), ('{"token": "bad"}', 4401)]
)
async def test_bad_messages_end_the_stream(url, issuer, message, code):
    async with streaming(url, issuer.headers()) as stream:
        await stream.socket.send(message)
        assert await stream.close_code() == code


async def test_another_users_token_ends_the_stream(url, issuer):
    async with streaming(url, issuer.headers()) as stream:
        await stream.socket.send(json.dumps({"token": issuer.token()}))
        assert await stream.close_code() == 4401


async def test_a_slow_reader_is_cut_and_slows_nobody(url, issuer, resources, monkeypatch):
    me = new_id()

    async def stuck(self, frame):
        await asyncio.sleep(60)

    async with streaming(url, issuer.headers(me)) as slow:
        await slow.frame("unread_count")
        monkeypatch.setattr(LiveConnection, "_send", stuck)
        for number in range(resources.settings.live_queue + 10):
            await resources.push.send(me, "task.changed", {"n": number})
        assert await slow.close_code() == 4408


async def test_pings_come(settings, resources, app, url, issuer, monkeypatch):
    monkeypatch.setattr(resources, "settings", settings.model_copy(update={"live_ping_seconds": 0.1}))
    async with streaming(url, issuer.headers()) as stream:
        assert (await stream.frame("ping"))["data"] == {}
