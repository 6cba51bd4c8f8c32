"""Replicas of the api on real listeners, and clients that stay connected to them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlencode

import httpx2
import pytest
import uvicorn
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.service.server import LISTENER, _Server
from grove.web.auth import Authenticator
from grove_notification.live import stream
from grove_notification.live import subscriber as subscriber_module
from grove_notification.live.stream import Frame
from grove_notification.main import build
from grove_notification.resources import Resources
from grove_stack.ports import free_port
from grove_stack.testing.proxy import Proxy

SECONDS = 20
"""A guard against waiting for ever, however slow the machine is."""


class Client:
    """What came over one connection."""

    def __init__(self) -> None:
        self.seen: list[dict] = []

    async def frame(self, kind: str) -> dict:
        """The next of this type."""
        async with asyncio.timeout(SECONDS):
            while True:
                self.seen.append(await self.next())
                if self.seen[-1]["type"] == kind:
                    return self.seen[-1]

    async def titles(self, amount: int) -> list[str]:
        """The tasks of the next so many notifications, and of what else comes before the count behind them."""
        seen = len(self.seen)
        while len(self.of("notification", seen)) < amount:
            await self.frame("notification")
        await self.frame("unread_count")
        return [each["data"]["message"].split("“")[1].split("”")[0] for each in self.of("notification", seen)]

    async def counted(self, count: int) -> None:
        """Wait until so many are unread."""
        while (await self.frame("unread_count"))["data"]["count"] != count:
            continue

    async def numbers(self, count: int) -> list[int]:
        """Those of the next frames that `write` wrote."""
        return [(await self.frame("task.changed"))["data"]["n"] for _ in range(count)]

    def of(self, kind: str, since: int = 0) -> list[dict]:
        """Those of a type so far."""
        return [frame for frame in self.seen[since:] if frame["type"] == kind]

    @property
    def last_id(self) -> str:
        return self.seen[-1]["id"]


class Socket(Client):
    def __init__(self, socket) -> None:
        super().__init__()
        self.socket = socket

    async def next(self) -> dict:
        return json.loads(await self.socket.recv())

    async def say(self, **message) -> None:
        await self.socket.send(json.dumps(message))

    async def ended(self) -> int:
        """The code with which the other side ends it."""
        async with asyncio.timeout(SECONDS):
            try:
                while True:
                    self.seen.append(await self.next())
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd is not None else 1006


class Events(Client):
    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def event(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(": ")
            fields[name] = value
        raise EOFError

    async def next(self) -> dict:
        while "event" not in (fields := await self.event()):
            continue
        return {"id": fields.get("id"), "type": fields["event"], "data": json.loads(fields["data"])}

    async def ended(self) -> int:
        code = (await self.frame("close"))["data"]["code"]
        with pytest.raises(EOFError):
            await self.next()
        return code


@asynccontextmanager
async def over_websocket(base: str, headers=None, *, query=None, **options) -> AsyncIterator[Socket]:
    url = f"{base.replace('http', 'ws', 1)}/stream?{urlencode(query or {})}"
    async with websockets.connect(url, additional_headers=headers, proxy=None, **options) as socket:
        yield Socket(socket)


@asynccontextmanager
async def over_events(base: str, headers=None, *, query=None) -> AsyncIterator[Events]:
    timeout = httpx2.Timeout(SECONDS)
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=timeout) as client,
        client.stream("GET", f"{base}/events", params=query or {}, headers=headers) as answer,
    ):
        await answer.aread() if answer.status_code != 200 else None
        answer.raise_for_status()
        yield Events(answer)


@pytest.fixture(autouse=True)
def counts_soon(monkeypatch):
    """How many are unread is told without a pause."""
    monkeypatch.setattr(subscriber_module, "COUNT_SECONDS", 0.0)


@pytest.fixture
def over_sockets():
    return over_websocket


@pytest.fixture
def over_http():
    return over_events


@pytest.fixture(params=["websocket", "sse"])
def connect(request):
    """Connects over each transport: async with connect(base, headers, query={…}) as client."""
    return over_websocket if request.param == "websocket" else over_events


@pytest.fixture
def refusal(connect):
    """What somebody who may not connect is told: (status, error, headers)."""

    async def refusal(base, headers=None, *, query=None) -> tuple[int, dict, dict]:
        try:
            async with connect(base, headers, query=query):
                raise AssertionError("connected")
        except InvalidStatus as refused:
            answer = refused.response
            return answer.status_code, json.loads(answer.body)["error"], dict(answer.headers.raw_items())
        except httpx2.HTTPStatusError as refused:
            return refused.response.status_code, refused.response.json()["error"], dict(refused.response.headers)

    return refusal


class Replica:
    """An api process, as far as a test needs one."""

    def __init__(self, app, resources, server, url: str) -> None:
        self.app, self.resources, self.server, self.url = app, resources, server, url
        self.hub, self.sweeper = resources.hub, resources.sweeper

    def only(self):
        """The one connection there is."""
        (connection,) = self.hub
        return connection


@asynccontextmanager
async def running(app, resources) -> AsyncIterator[Replica]:
    port = free_port()
    config = uvicorn.Config(app, port=port, lifespan="off", timeout_graceful_shutdown=10, **LISTENER)
    server = _Server(config, stopping=resources.hub.stop)
    jobs = [asyncio.create_task(job) for job in (server.serve(), resources.hub.run(), resources.sweeper.run())]
    while not (server.started and resources.hub.subscribed):
        await asyncio.sleep(0.01)
    yield Replica(app, resources, server, f"http://127.0.0.1:{port}/api/v1/notifications")
    server.should_exit = True
    await jobs[0]
    await end(*jobs)
    resources.hub._stopping = False  # the resources live on


@pytest.fixture
async def replica(app, resources) -> AsyncIterator[Replica]:
    async with running(app, resources) as replica:
        yield replica


@pytest.fixture
async def start(settings, issuer, gate) -> AsyncIterator:
    """Starts another replica, with settings that differ: await start(live_queue=8)."""
    async with AsyncExitStack() as stack:

        async def start(**changes) -> Replica:
            resources = Resources(settings.model_copy(update=changes))
            stack.push_async_callback(resources.aclose)
            app = build(resources.settings, resources)
            app.state.authenticator = Authenticator(issuer.verifier(), gate, resources.limiter)
            resources.sign_in.authenticator, resources.sign_in.gate = app.state.authenticator, gate
            return await stack.enter_async_context(running(app, resources))

        yield start


@pytest.fixture
async def proxy() -> AsyncIterator:
    """Starts a proxy before a port: await proxy(settings.valkey_port)."""
    proxies = []

    async def proxy(port: int) -> Proxy:
        proxies.append(Proxy(port))
        await proxies[-1].start()
        return proxies[-1]

    yield proxy
    for each in proxies:
        await each.cut()


@pytest.fixture
def write(resources):
    """Writes frames of a user in one transaction, as facts do, and pushes nothing: await write(user, 1, 2)."""

    async def write(user, *numbers: int, padding: str = "") -> list[Frame]:
        async with resources.sessions.begin() as session:
            frames = [
                stream.collect(session, Frame(user, "task.changed", {"n": number, "padding": padding}))
                for number in numbers
            ]
            await stream.write(session)
        return frames

    return write


@pytest.fixture
def make(happen):
    """Have tasks be created: await make(user, "A", "B")."""

    async def make(user, *titles: str) -> None:
        for title in titles:
            await happen("resource", TaskCreated(task_id=new_id(), user_id=user, title=title, created_at=now()))

    return make
