"""The mTLS listener, for real: handshakes, identities, renewal; and background work."""

import asyncio
import resource
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
import websockets
from fastapi import FastAPI, Request, WebSocket

from grove.core.settings import AppSettings
from grove.observability.health import Health
from grove.security.mtls import TlsMaterial, peer_identity
from grove.service import server as server_module
from grove.service.server import PeerProtocol, _Server, background, run_api
from grove_stack.pki.authority import Authority, needs_renewal
from grove_stack.ports import free_port

pytestmark = pytest.mark.integration


class Pki:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = Authority(folder / "ca")
        self.ca.create("Test CA")
        self.other = Authority(folder / "other")
        self.other.create("Another CA")

    def material(self, service: str, authority: Authority | None = None) -> TlsMaterial:
        file = self.folder / f"{service}-{(authority or self.ca).folder.name}.pem"
        (authority or self.ca).issue_identity(service, into=file)
        return TlsMaterial(file, self.ca.certificate_file)


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
async def served(pki: Pki) -> AsyncIterator[tuple[int, TlsMaterial]]:
    app = FastAPI()

    @app.get("/who")
    async def who(request: Request) -> dict[str, str | None]:
        return {"peer": request.state.peer}

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(str(socket.state.peer))
        await socket.close()

    tls, port = pki.material("resource"), free_port()
    server = _Server(
        uvicorn.Config(
            app,
            port=port,
            http=PeerProtocol,
            ssl_certfile=tls.identity_file,
            ssl_context_factory=lambda _c, _d: tls.server_context(),
            log_config=None,
            lifespan="off",
        )
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port, tls
    server.should_exit = True
    await task


async def ask(port: int, context: ssl.SSLContext | None) -> bytes:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None
    )
    try:
        writer.write(b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


async def test_the_app_sees_who_calls(served, pki):
    port, _ = served
    answer = await ask(port, pki.material("notification").client_context())
    assert b'{"peer":"spiffe://grove/notification"}' in answer


async def test_so_does_a_websocket(served, pki):
    port, _ = served
    context = pki.material("gateway").client_context()
    async with websockets.connect(f"wss://localhost:{port}/ws", ssl=context, host="127.0.0.1", proxy=None) as socket:
        assert await socket.recv() == "spiffe://grove/gateway"


async def test_without_a_certificate_or_with_another_cas_no_http_byte_comes_back(served, pki):
    port, _ = served
    plain = ssl.create_default_context(cafile=str(pki.ca.certificate_file))
    foreign = pki.material("auth", pki.other).client_context()
    for context in (plain, foreign):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert await ask(port, context) == b""
            raise ConnectionError("nothing came back")


async def test_plain_http_gets_nothing(served):
    assert await ask(served[0], None) == b""


async def test_a_client_refuses_another_cas_server(served, pki):
    stranger = TlsMaterial(pki.material("auth", pki.other).identity_file, pki.other.certificate_file)
    with pytest.raises(ssl.SSLError):
        await ask(served[0], stranger.client_context())


def serial(port: int, context: ssl.SSLContext) -> str:
    import socket

    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        return str(tls.getpeercert()["serialNumber"])


async def test_a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_not(served, pki):
    port, tls = served
    context = pki.material("traefik").client_context()
    before = await asyncio.to_thread(serial, port, context)
    assert not tls.reload_if_changed()
    pki.ca.issue_identity("resource", into=tls.identity_file)
    assert tls.reload_if_changed()
    after = await asyncio.to_thread(serial, port, context)
    assert after != before
    good = tls.identity_file.read_bytes()
    tls.identity_file.write_bytes(b"broken")
    assert not tls.reload_if_changed()
    assert await asyncio.to_thread(serial, port, context) == after
    tls.identity_file.write_bytes(good)


def test_certificates_are_short_lived_and_know_when_to_be_renewed(pki):
    file = pki.material("resource").identity_file
    assert not needs_renewal(file)
    assert needs_renewal(file, days=8)
    assert needs_renewal(pki.folder / "missing.pem")
    assert peer_identity(None) is None


async def test_background_work_that_fails_is_started_again(monkeypatch):
    runs: list[float] = []
    again = asyncio.Event()

    async def fails() -> None:
        runs.append(asyncio.get_running_loop().time())
        if len(runs) == 2:
            again.set()
        raise ValueError("once more")

    async with background({"fails": fails}):
        await asyncio.wait_for(again.wait(), 20)
    assert runs[1] - runs[0] >= 1, "after a pause"


def test_a_process_asks_for_as_many_connections_as_it_may_have():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    try:
        server_module._allow_many_files()
        after, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert after == (server_module.FILES if most == resource.RLIM_INFINITY else min(server_module.FILES, most))


async def test_answers_without_an_end_are_ended_when_the_server_stops():
    """By a call: the server would wait for them as long as it may."""
    sent, stop = [], asyncio.Event()

    async def app(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"on", "more_body": True})
        await stop.wait()
        sent.append("the end")
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    port = free_port()
    config = uvicorn.Config(app, port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=3600)
    server = _Server(config, stopping=stop.set)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    asking = asyncio.create_task(ask(port, None))
    while not server.server_state.tasks:
        await asyncio.sleep(0.01)
    server.should_exit = True
    await asyncio.wait_for(serving, 60)
    assert sent == ["the end"]
    assert b"on" in await asking


def test_routes_are_prepared_before_anybody_asks(pki, monkeypatch):
    monkeypatch.setattr(server_module, "_run", lambda main, _: main.close())
    app = FastAPI()
    run_api(AppSettings(), app, pki.material("auth"), Health())
    assert app.openapi_schema is not None
