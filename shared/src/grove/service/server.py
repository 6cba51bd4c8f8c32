"""Running a process: the mTLS listener, the ops listener, background work, signals, shutdown."""

import asyncio
import contextlib
import gc
import resource
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from grove.core.settings import AppSettings
from grove.core.tasks import end
from grove.observability.health import Health, ops_app
from grove.observability.logging import configure_logging
from grove.observability.tracing import configure_tracing
from grove.security.mtls import TlsMaterial, peer_identity
from grove.service.sockets import SocketProtocol

log = structlog.get_logger()

CERTIFICATE_CHECK_SECONDS = 5
FILES = 65_536


class PeerProtocol(HttpToolsProtocol):
    """Gives the app the peer's identity as `request.state.peer` and `websocket.state.peer`; and as `state.abort` a way
    to cut the connection of a client that does not read.

    uvicorn does not implement the ASGI TLS extension; `app_state` passes on to WebSockets at the upgrade.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own hint
        """Read the certificate once per connection."""
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self.app_state = {**self.app_state, "peer": peer_identity(tls), "abort": transport.abort}


LISTENER: Mapping[str, Any] = {
    "http": PeerProtocol,
    "timeout_keep_alive": 75,  # longer than the edge keeps idle connections, so it never meets a closing one
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "ws": SocketProtocol,
    "ws_ping_interval": 20,
    "ws_max_size": 64 * 1024,
    "ws_per_message_deflate": False,  # its buffers hold more than all the rest of the protocol; frames are small
}
"""How a service's listener speaks HTTP and WebSocket; tests of such connections have the same."""


class _Server(uvicorn.Server):
    """Signals are handled once for the whole process, not by each listener.

    `stopping` is called when it takes no new connections any more: for answers that would go on for ever.
    """

    def __init__(self, config: uvicorn.Config, *, stopping: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is in hand."""
        self._stopping()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave signals alone."""
        yield


def configure(settings: AppSettings) -> None:
    """Logs and traces of this process."""
    configure_logging(settings)
    configure_tracing(settings)


def run_api(
    settings: AppSettings,
    app: FastAPI,
    tls: TlsMaterial,
    health: Health,
    *,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve `app` over mTLS until SIGTERM or SIGINT; requests in hand are finished, and `stopping` ends the rest."""
    _allow_many_files()
    app.openapi()  # prepares all routes; each router's first request would hold up the others for as long
    main = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            ssl_certfile=tls.identity_file,
            ssl_context_factory=lambda _config, _default: tls.server_context(),
            timeout_graceful_shutdown=settings.shutdown_seconds,
            **LISTENER,
        ),
        stopping=stopping,
    )
    _run(_serve(settings, main, health, {}), tls)


def _allow_many_files() -> None:
    """Each connection is a file, and of those a process often may have 1,024 only, unless it asks for more."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def run_worker(
    settings: AppSettings,
    jobs: Mapping[str, Callable[[], Awaitable[None]]],
    tls: TlsMaterial,
    health: Health,
    *,
    start: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run `jobs`, after `start`, until SIGTERM or SIGINT; a job that fails is started again after a pause."""

    async def work() -> None:
        if start is not None:
            await start()
        await _serve(settings, None, health, jobs)

    _run(work(), tls)


def _run(main: Any, tls: TlsMaterial) -> None:
    async def with_renewal() -> None:
        async with background({"certificates": lambda: _renew(tls)}):
            await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_renewal())


async def _serve(
    settings: AppSettings,
    main: uvicorn.Server | None,
    health: Health,
    jobs: Mapping[str, Callable[[], Awaitable[None]]],
) -> None:
    ops = _Server(
        uvicorn.Config(
            ops_app(health),
            host=settings.ops_host,
            port=settings.ops_port,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = [asyncio.create_task(ops.serve())]
    if main is not None:
        serving.append(asyncio.create_task(main.serve()))
    stopping = asyncio.create_task(stop.wait())
    gc.collect()
    gc.freeze()  # what is there now stays; each look through it would hold up everybody
    log.info("process.started", port=settings.port if main else None, ops_port=settings.ops_port)
    async with background(jobs):
        await asyncio.wait([*serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        log.info("process.stopping")
        if main is not None:
            main.should_exit = True
            await serving[1]
    ops.should_exit = True
    stopping.cancel()
    await asyncio.gather(*serving)
    log.info("process.stopped")


@contextlib.asynccontextmanager
async def background(jobs: Mapping[str, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Run `jobs` beside the block; one that ends or fails is started again, with a pause that grows to 30 s."""
    tasks = [asyncio.create_task(_keep_running(name, job), name=name) for name, job in jobs.items()]
    try:
        yield
    finally:
        await end(*tasks)


async def _keep_running(name: str, job: Callable[[], Awaitable[None]]) -> None:
    structlog.contextvars.bind_contextvars(job=name)  # whatever it logs says so
    pause = 0.5
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await job()
            log.warning("job.ended")
        except Exception:
            log.exception("job.failed")
        ran = asyncio.get_running_loop().time() - started
        pause = 0.5 if ran > 60 else min(30.0, pause * 2)
        await asyncio.sleep(pause)


async def _renew(tls: TlsMaterial) -> None:
    while True:
        await asyncio.sleep(CERTIFICATE_CHECK_SECONDS)
        if tls.reload_if_changed():
            log.info("certificate.renewed")
