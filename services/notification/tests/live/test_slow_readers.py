"""Who does not read is cut, keeps nothing behind, and slows nobody."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from grove.core.ids import new_id
from grove_notification.live import connection as connection_module
from grove_notification.live import event_streams as event_streams_module
from grove_notification.live import sockets as sockets_module
from grove_notification.live.connection import TOO_SLOW

pytestmark = pytest.mark.integration
PADDING = "x" * 100_000
UPGRADE = """Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
"""


@pytest.fixture
def me():
    return new_id()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(connection_module, "FULL_SECONDS", 0.2)
    for module in (sockets_module, event_streams_module):
        monkeypatch.setattr(module, "CLOSE_SECONDS", 0.2)
        monkeypatch.setattr(module, "ABORT_SECONDS", 0.2)


@pytest.fixture(params=["websocket", "sse"])
def reads_nothing(request, issuer):
    """A client that connects and reads nothing: (the connection on the server's side, the socket)."""

    @asynccontextmanager
    async def reads_nothing(replica, user):
        known = set(replica.hub)
        path, upgrade = ("stream", UPGRADE) if request.param == "websocket" else ("events", "")
        loop, headers = asyncio.get_running_loop(), issuer.headers(user)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", replica.server.config.port))
            asked = f"GET /api/v1/notifications/{path} HTTP/1.1\r\nHost: x\r\n{upgrade}"
            await loop.sock_sendall(client, f"{asked}Authorization: {headers['Authorization']}\r\n\r\n".encode())
            async with asyncio.timeout(20):
                while set(replica.hub) == known:
                    await asyncio.sleep(0.01)
            (connection,) = set(replica.hub) - known
            yield connection, client

    return reads_nothing


async def forgotten(replica, connection) -> None:
    """Wait until the hub has forgotten it, and the listener its socket."""
    async with asyncio.timeout(60):
        while connection in list(replica.hub) or len(replica.server.server_state.connections) > 1:
            await asyncio.sleep(0.02)


async def fill(replica, resources, write, user, connection, reading) -> None:
    """Push until it is cut; who reads gets each frame meanwhile."""
    for number in range(1000):
        (frame,) = await write(user, number, padding=PADDING)
        await resources.push.send(frame)
        assert await reading.numbers(1) == [number]
        if connection not in list(replica.hub):
            return
    raise AssertionError("it was not cut")


async def test_who_does_not_read_is_cut_while_another_gets_everything(
    start, resources, over_sockets, reads_nothing, issuer, write, me
):
    replica = await start(live_queue=8)
    async with (
        over_sockets(replica.url, issuer.headers(me), max_size=None) as reading,
        reads_nothing(replica, me) as (connection, _),
    ):
        await reading.frame("unread_count")
        await fill(replica, resources, write, me, connection, reading)
        await forgotten(replica, connection)
        assert connection._ending == TOO_SLOW
        assert len(connection.subscriber._waiting) <= 8, "what waits is bounded"
        (last,) = await write(me, 999)
        await resources.push.send(last)
        assert await reading.numbers(1) == [999]


async def test_who_stops_reading_is_cut_by_time_as_well(
    start, resources, over_sockets, reads_nothing, issuer, write, me, monkeypatch
):
    """Fewer frames than may wait, more than the buffers between take."""
    monkeypatch.setattr(connection_module, "SEND_SECONDS", 0.5)
    replica = await start(live_queue=5000)
    async with (
        over_sockets(replica.url, issuer.headers(me), max_size=None) as reading,
        reads_nothing(replica, me) as (connection, _),
    ):
        await reading.frame("unread_count")
        await fill(replica, resources, write, me, connection, reading)
        await forgotten(replica, connection)
        assert connection._ending == TOO_SLOW


async def test_who_reads_on_in_time_is_told_why_it_was_cut(
    start, resources, over_sockets, reads_nothing, issuer, write, me, monkeypatch
):
    for module in (sockets_module, event_streams_module):
        monkeypatch.setattr(module, "CLOSE_SECONDS", 60)
        monkeypatch.setattr(module, "ABORT_SECONDS", 60)
    replica = await start(live_queue=8)
    async with (
        over_sockets(replica.url, issuer.headers(me), max_size=None) as reading,
        reads_nothing(replica, me) as (connection, client),
    ):
        await reading.frame("unread_count")
        number = 0
        while connection._ending is None:
            (frame,) = await write(me, number, padding=PADDING)
            await resources.push.send(frame)
            await reading.numbers(1)
            number += 1
        loop, tail = asyncio.get_running_loop(), b""
        async with asyncio.timeout(60):
            while data := await loop.sock_recv(client, 1 << 20):
                tail = (tail + data)[-500:]
                if b"too slowly" in tail:
                    break
        assert b"4408" in tail or (4408).to_bytes(2) in tail


async def test_a_burst_is_not_the_clients_fault(start, resources, over_sockets, issuer, write, me):
    """More at once than may wait: a client that reads gets all of it."""
    replica = await start(live_queue=8)
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        (connection,) = replica.hub
        frames = await write(me, *range(500))
        for frame in frames:
            replica.hub._hand_out(
                {
                    "user_id": str(me),
                    "frame": {"position": frame.position, "type": frame.type, "data": frame.data},
                }
            )
        assert len(connection.subscriber._waiting) == 8
        assert await client.numbers(500) == list(range(500))
