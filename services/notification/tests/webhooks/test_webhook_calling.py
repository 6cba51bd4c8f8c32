"""Connecting: to the address that was checked and no other, by the name that was meant."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from grove_notification.webhooks import targets as targets_module
from grove_notification.webhooks.deliveries.bounded import MIN_READ, BoundedStream, SaidTooMuch
from grove_notification.webhooks.deliveries.calling import MAX_HANDSHAKE, MAX_SAID, Caller
from grove_notification.webhooks.targets import Targets
from grove_stack.pki.authority import Authority

PUBLIC = "93.184.215.14"
SECONDS = 20


class Names:
    """A name server that answers what it is told to, in turn, and the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _: str) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Listener:
    """Counts connections."""

    def __init__(self) -> None:
        self.connections = 0

    async def __aenter__(self) -> "Listener":
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _come(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


async def post(targets: Targets, url: str, tls: ssl.SSLContext | None = None):
    return await Caller(targets, seconds=SECONDS, tls=tls).post(url, {"webhook-id": "1"}, b"{}")


@pytest.mark.parametrize("inside", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["::ffff:127.0.0.1"]])
async def test_a_name_that_means_something_else_by_then_is_not_followed_inside(inside):
    async with Listener() as listener:
        names = Names([PUBLIC], inside)
        targets = Targets([listener.port], [], names)
        url = f"https://rebound.example:{listener.port}/"
        await targets.check(url)  # as when it was saved
        answer = await post(targets, url)
        assert answer.error == "The URL leads to an address that is not on the public internet."
        assert (names.asked, listener.connections) == (2, 0)


async def test_what_was_allowed_when_it_was_saved_is_asked_again():
    async with Listener() as listener:
        answer = await post(Targets([443], [], Names([])), f"http://127.0.0.1:{listener.port}/")
        assert answer.error == "The URL must begin with https://."
        answer = await post(Targets([443], [], Names([])), f"https://127.0.0.1:{listener.port}/")
        assert f"port {listener.port}" in answer.error
        answer = await post(Targets([listener.port], [], Names([])), f"https://127.0.0.1:{listener.port}/")
        assert "not on the public internet" in answer.error
        assert listener.connections == 0


async def test_what_is_said_of_a_failure_is_short():
    async with Listener() as listener:
        answer = await post(Targets(range(500), [], Names([])), f"https://127.0.0.1:{listener.port}/")
    assert len(answer.error) == 300


async def test_a_name_without_an_address():
    answer = await post(Targets([443], [], Names([])), "https://nowhere.example/")
    assert answer.error == "There was no answer: nowhere.example has no address."


@pytest.fixture
def loopback_is_public(monkeypatch) -> None:
    monkeypatch.setattr(targets_module, "is_public", lambda address: address.startswith("127."))


@pytest.fixture
def authority(tmp_path) -> Authority:
    made = Authority(tmp_path / "ca")
    made.create("Test CA")
    return made


@pytest.fixture
async def served(authority, tmp_path) -> AsyncIterator[tuple[int, list[tuple[str | None, str]]]]:
    """The port of a TLS server for hook.example, and (SNI, head) of each request."""
    identity = tmp_path / "hook.pem"
    authority.issue("hook.example", uri=None, hosts=["hook.example"], into=identity, days=1)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity)
    named: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    seen: list[tuple[str | None, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:  # as long as the client likes
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await reader.readexactly(2)
                seen.append((named[-1], head))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1], seen
    server.close()


@pytest.fixture
def trusting(authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.certificate_file))


@pytest.mark.usefixtures("loopback_is_public")
async def test_tls_and_host_keep_the_name_and_it_is_asked_for_once(served, trusting):
    port, seen = served
    names = Names(["127.0.0.1"], ["192.0.2.1"])
    answer = await post(Targets([port], [], names), f"https://hook.example:{port}/in", trusting)
    assert (answer.status, names.asked) == (204, 1)
    [(sni, head)] = seen
    assert sni == "hook.example"
    assert f"\r\nHost: hook.example:{port}\r\n" in head


@pytest.mark.usefixtures("loopback_is_public")
async def test_a_certificate_for_another_name_is_refused(served, trusting):
    port, seen = served
    answer = await post(Targets([port], [], Names(["127.0.0.1"])), f"https://other.example:{port}/", trusting)
    assert "CERTIFICATE_VERIFY_FAILED" in answer.error
    assert seen == []


@pytest.mark.usefixtures("loopback_is_public")
async def test_each_delivery_has_a_connection_of_its_own(served, trusting):
    """A connection that stays open would be used without asking where the name leads by then."""
    port, seen = served
    names = Names(["127.0.0.1"])
    caller = Caller(Targets([port], [], names), seconds=SECONDS, tls=trusting)
    for _ in range(3):
        assert (await caller.post(f"https://hook.example:{port}/", {}, b"{}")).status == 204
    assert (names.asked, len(seen)) == (3, 3)


@pytest.mark.usefixtures("loopback_is_public")
async def test_the_next_address_is_tried_when_one_does_not_answer(served, trusting):
    port, _ = served
    names = Names(["127.0.0.9", "127.0.0.1"])
    answer = await post(Targets([port], [], names), f"https://hook.example:{port}/", trusting)
    assert answer.status == 204


async def test_the_environments_proxy_is_not_used(monkeypatch):
    async with Listener() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with Listener() as listener:
            place = f"127.0.0.1:{listener.port}"
            await post(Targets([443], [place], Names([])), f"http://{place}/")
            assert (proxy.connections, listener.connections) == (0, 1)


@pytest.mark.parametrize(
    "garbage", [b"", b"nonsense\r\n\r\n", b"\x00\x01\xff\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nX\x00: y\r\n\r\n", b"HTTP/1.1 200 " + b"O" * 500 + b"\x00\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"]
)  # fmt: skip
async def test_nonsense_is_no_answer(garbage):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(garbage)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    answer = await post(Targets([443], [place], Names([])), f"http://{place}/")
    assert answer.error is None or (answer.error.isprintable() and len(answer.error) <= 300)
    assert answer.status in {None, 101}
    assert answer.error or answer.status == 101
    server.close()


class Counted:
    """Connections whose received bytes are counted."""

    def __init__(self) -> None:
        self.received = 0

    async def connect(self, host: str, port: int) -> ByteStream:
        stream = await anyio.connect_tcp(host, port)
        receive = stream.receive

        async def count(max_bytes: int = 65536) -> bytes:
            said = await receive(max_bytes)
            self.received += len(said)
            return said

        stream.receive = count
        return stream


@pytest.fixture
def counted(monkeypatch) -> Counted:
    made = Counted()
    monkeypatch.setattr("grove_notification.webhooks.deliveries.calling.connect_tcp", made.connect)
    return made


@pytest.fixture
async def endless(authority, tmp_path) -> AsyncIterator[Callable[..., Any]]:
    """Starts a server that goes on saying the same: await endless(b"x", tls=True, tickets=2)."""
    authority.issue("hook.example", uri=None, hosts=["hook.example"], into=tmp_path / "hook.pem", days=1)
    servers: list[asyncio.Server] = []

    async def start(said: bytes, *, tls: bool, tickets: int = 2) -> int:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "hook.pem")
        context.num_tickets = tickets

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                while True:
                    writer.write(said)
                    await writer.drain()

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context if tls else None))
        return servers[-1].sockets[0].getsockname()[1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.usefixtures("loopback_is_public")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_answers_without_end_are_not_read_for_ever(endless, counted, trusting, scheme):
    """`103` may come before an answer as often as an endpoint likes: so all that it says is counted."""
    port = await endless(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 4000, tls=scheme == "https")
    host, allowed = ("hook.example", []) if scheme == "https" else ("127.0.0.1", [f"127.0.0.1:{port}"])
    answer = await post(Targets([port], allowed, Names(["127.0.0.1"])), f"{scheme}://{host}:{port}/", trusting)
    assert answer.error == "There was no answer: it said more than an answer has."
    assert counted.received <= MAX_HANDSHAKE + MAX_SAID


@pytest.mark.usefixtures("loopback_is_public")
async def test_what_tls_says_to_itself_is_counted(endless, counted, trusting):
    """Session tickets are no byte of an answer, and each is work."""
    port = await endless(b"HTTP/1.1 200 OK\r\n\r\n", tls=True, tickets=2000)
    answer = await post(Targets([port], [], Names(["127.0.0.1"])), f"https://hook.example:{port}/", trusting)
    assert answer.error == "There was no answer: it said more than an answer has."
    assert counted.received <= MAX_HANDSHAKE + MAX_SAID


@pytest.mark.usefixtures("loopback_is_public")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_body_without_end_is_an_answer(endless, counted, trusting, scheme):
    port = await endless(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, tls=scheme == "https")
    host, allowed = ("hook.example", []) if scheme == "https" else ("127.0.0.1", [f"127.0.0.1:{port}"])
    answer = await post(Targets([port], allowed, Names(["127.0.0.1"])), f"{scheme}://{host}:{port}/", trusting)
    assert (answer.status, answer.excerpt) == (200, "x" * 1000)
    assert counted.received <= MAX_HANDSHAKE + MAX_SAID


class Talkative(ByteStream):
    """Has always something to say, at once; as much as is wanted, or `at_once`."""

    def __init__(self, at_once: int | None = None) -> None:
        self.at_once = at_once

    async def receive(self, max_bytes: int = 65536) -> bytes:
        return b"x" * (self.at_once or max_bytes)

    async def send(self, item: bytes) -> None: ...

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None: ...


async def test_a_peer_says_as_much_as_it_may_and_lets_others_run():
    stream = BoundedStream(Talkative(), 5000)
    for wanted in (4096, 904):
        ran = asyncio.Event()
        asyncio.get_running_loop().call_soon(ran.set)
        assert len(await stream.receive(4096)) == wanted
        assert ran.is_set()
    with pytest.raises(SaidTooMuch):
        await stream.receive(4096)
    stream.allow(10)
    assert len(await stream.receive()) == 10


async def test_crumbs_count_as_more_than_they_are():
    stream = BoundedStream(Talkative(at_once=1), 10 * MIN_READ)
    for _ in range(10):
        await stream.receive()
    with pytest.raises(SaidTooMuch):
        await stream.receive()
