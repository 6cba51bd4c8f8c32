"""A whole suite, seen from outside as its clients see it."""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import websockets

from grove.core.ids import new_id
from grove.security.mtls import TlsMaterial
from grove_stack.demo import newest_mail
from grove_stack.layout import Layout, read_json
from grove_stack.loopback import LoopbackTransport
from grove_stack.testing.stacks import command, new_folder, remove, start

PASSWORD = "plant trees not walls"


class Suite:
    """A running stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = Layout(folder)

    @property
    def file(self) -> dict[str, Any]:
        return read_json(self.layout.suite_file)

    @property
    def auth(self) -> str:
        return f"{self.file['auth_url']}/api/v1/auth"

    @property
    def api(self) -> str:
        return f"{self.file['api_url']}/api/v1"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.file["ca_file"])

    def grove(self, *words: str) -> str:
        done = command(self.folder, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def process(self, name: str) -> dict[str, Any]:
        return next(process for process in self.file["processes"] if process["name"] == name)

    def processes(self, prefix: str) -> list[dict[str, Any]]:
        return [p for p in self.file["processes"] if p["name"].startswith(prefix) and p["pid"]]

    def client(self) -> httpx2.AsyncClient:
        transport = LoopbackTransport(verify=self.tls, limits=httpx2.Limits(max_connections=50))
        return httpx2.AsyncClient(transport=transport, timeout=20)

    def inside(self, service: str = "traefik") -> httpx2.AsyncClient:
        """A client with a service's certificate, for the mTLS listeners."""
        self.layout.ensure_identity(service, f"{service}-journey")
        tls = TlsMaterial(self.layout.identity_file(f"{service}-journey"), self.layout.internal_ca.certificate_file)
        return httpx2.AsyncClient(verify=tls.client_context(), timeout=10, trust_env=False)


class Person:
    """A user with a client of their own."""

    def __init__(self, suite: Suite, client: httpx2.AsyncClient) -> None:
        self.suite, self.client = suite, client
        self.email = f"{new_id().hex[-12:]}@grove.example"
        self.tokens: dict[str, Any] = {}

    async def register(self) -> "Person":
        body = {"email": self.email, "password": PASSWORD, "name": "Ada"}
        answer = await self.client.post(f"{self.suite.auth}/register", json=body)
        assert answer.status_code == 202, answer.text
        answer = await self.client.post(f"{self.suite.auth}/verify-email", json={"token": await self.mailed_token()})
        assert answer.status_code == 204, answer.text
        return await self.login()

    async def mailed_token(self) -> str:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            text = await asyncio.to_thread(newest_mail, Path(self.suite.file["mail_dir"]), self.email)
            found = re.search(r"/verify-email#token=([\w-]+)", text)
            if found:
                return found.group(1)
            await asyncio.sleep(0.1)
        raise AssertionError("no verification mail")

    async def login(self) -> "Person":
        answer = await self.client.post(f"{self.suite.auth}/login", json={"email": self.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()
        return self

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def call(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        headers = self.headers | kwargs.pop("headers", {})
        return await self.client.request(method, f"{self.suite.api}{path}", headers=headers, **kwargs)

    async def notified_tasks(self, kind: str = "TASK_CREATED") -> list[str]:
        """Task ids of all notifications of a type."""
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = await self.call("GET", "/notifications", params={"type": kind, "size": 100, "cursor": cursor})
            found += [item["task_id"] for item in answer.json()["items"]]
            cursor = answer.json()["next_cursor"]
        return found

    @asynccontextmanager
    async def live(self) -> AsyncIterator["Live"]:
        url = self.suite.api.replace("https:", "wss:") + "/notifications/stream"
        async with websockets.connect(
            url, host="127.0.0.1", ssl=self.suite.tls, additional_headers=self.headers, proxy=None
        ) as socket:
            yield Live(socket)


class Live:
    """An open stream."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def notification(self, kind: str, seconds: float = 15) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                frame = json.loads(await self.socket.recv())
                if frame["type"] == "notification" and frame["data"]["type"] == kind:
                    return frame


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    folder = new_folder()
    start(folder)
    try:
        yield Suite(folder)
    finally:
        remove(folder)


@pytest.fixture
async def client(suite: Suite) -> AsyncIterator[httpx2.AsyncClient]:
    async with suite.client() as client:
        yield client


@pytest.fixture
def register(suite: Suite, client: httpx2.AsyncClient) -> Callable[[], Awaitable[Person]]:
    """Makes people."""
    return lambda: Person(suite, client).register()


@pytest.fixture
async def ada(register: Callable[[], Awaitable[Person]]) -> Person:
    return await register()


@pytest.fixture
async def bob(register: Callable[[], Awaitable[Person]]) -> Person:
    return await register()


async def until(condition: Any, seconds: float) -> None:
    """Wait until `await condition()` is true."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.2)


@pytest.fixture(scope="session")
def wait_until() -> Any:
    return until


async def last_admitted(since: float, *asks: Callable[[], Awaitable[httpx2.Response]]) -> float:
    """Ask each again and again until it answers 401. Seconds behind `since`, by `time.perf_counter`, at which the last
    request began that was still admitted: what a slow machine takes for an answer is not the suite's.
    """

    async def of(ask: Callable[[], Awaitable[httpx2.Response]]) -> float:
        latest = 0.0
        while True:
            began = time.perf_counter()
            answer = await ask()
            if answer.status_code == 401:
                return latest
            assert answer.status_code == 200, answer.text
            latest = began - since
            await asyncio.sleep(0.02)

    async with asyncio.timeout(30):
        return max(await asyncio.gather(*(of(ask) for ask in asks)))


@pytest.fixture(scope="session")
def until_refused() -> Any:
    return last_admitted
