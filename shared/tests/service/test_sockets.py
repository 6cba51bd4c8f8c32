"""Floods of what no app gets to see end their own connection, and nobody else's."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import contextmanager

import pytest
import uvicorn
import websockets
from fastapi import FastAPI, WebSocket

from grove.service import sockets as sockets_module
from grove.service.server import LISTENER, _Server
from grove.service.sockets import FRAMES_AT_ONCE, PIECES
from grove_stack.ports import free_port

pytestmark = pytest.mark.integration
SECONDS = 30
HELLO = b"""GET /ws HTTP/1.1\r
Host: x\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
\r
"""
PONG = bytes([0x8A, 0x80, 0, 0, 0, 0])
PING = bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + b"x" * 125
BEGIN = bytes([0x01, 0x80, 0, 0, 0, 0])
PIECE = bytes([0x00, 0x80, 0, 0, 0, 0])
END = bytes([0x80, 0x81, 0, 0, 0, 0]) + b"!"
MESSAGE = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"on"
CLOSE_4408 = (4408).to_bytes(2, "big")


@pytest.fixture
async def server() -> AsyncIterator[_Server]:
    app = FastAPI()

    @app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    server = _Server(uvicorn.Config(app, port=free_port(), lifespan="off", **LISTENER))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server
    server.should_exit = True
    await task


@pytest.fixture(autouse=True)
def no_more(monkeypatch):
    """What was spent does not come back."""
    monkeypatch.setattr(sockets_module, "FRAMES_PER_SECOND", 0)


@contextmanager
def client():
    """A client that says what it likes."""
    with socket.socket() as raw:
        raw.setblocking(False)
        yield raw


async def connected(server, raw) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", server.config.port))
    await loop.sock_sendall(raw, HELLO)
    async with asyncio.timeout(SECONDS):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await loop.sock_recv(raw, 1)
    assert b" 101 " in head


async def rest(raw) -> bytes:
    """What comes until the end."""
    came = b""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                data = await asyncio.get_running_loop().sock_recv(raw, 1 << 16)
            except ConnectionError:  # cut, with the close before it or without
                return came
            if not data:
                return came
            came += data


async def send_without_end(raw, data: bytes) -> None:
    """Until the other side cuts it off."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await asyncio.get_running_loop().sock_sendall(raw, data)
            except ConnectionError:
                return


@pytest.mark.parametrize(
    ("before", "frame"), [(b"", PONG), (b"", PING), (BEGIN, PIECE)], ids=["pongs", "pings", "pieces"]
)
async def test_a_flood_is_cut_off_and_others_get_their_answers(server, before, frame):
    url = f"ws://127.0.0.1:{server.config.port}/ws"
    async with websockets.connect(url, proxy=None) as other:
        with client() as raw:
            await connected(server, raw)
            (flooded,) = [each for each in server.server_state.connections if each.client == raw.getsockname()]
            await asyncio.get_running_loop().sock_sendall(raw, before)
            await send_without_end(raw, frame * 10_000)
            async with asyncio.timeout(SECONDS):
                while flooded in server.server_state.connections:
                    await asyncio.sleep(0.01)
            assert len(flooded.frames) <= FRAMES_AT_ONCE
            assert flooded.conn.reader.buffer == b"", "nothing more was taken"
        await other.send("still here")
        async with asyncio.timeout(SECONDS):
            assert await other.recv() == "still here"


@pytest.mark.parametrize("frame", [PONG, PING], ids=["pongs", "pings"])
async def test_so_many_are_taken_and_one_more_is_too_many(server, frame):
    with client() as raw:
        await connected(server, raw)
        (connection,) = server.server_state.connections
        connection._allowance = sockets_module.Allowance(at_once=100, per_second=0)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(raw, frame * 98 + MESSAGE)
        async with asyncio.timeout(SECONDS):
            came = b""
            while not came.endswith(b"\x81\x02on"):
                came += await loop.sock_recv(raw, 1 << 16)
        await loop.sock_sendall(raw, frame * 2)
        assert CLOSE_4408 in await rest(raw)


async def test_a_message_is_made_of_so_many_pieces_and_no_more(server):
    loop = asyncio.get_running_loop()
    with client() as raw:
        await connected(server, raw)
        await loop.sock_sendall(raw, BEGIN + PIECE * (PIECES - 2) + END)
        async with asyncio.timeout(SECONDS):
            assert await loop.sock_recv(raw, 100) == b"\x81\x01!"
        (connection,) = server.server_state.connections
        await loop.sock_sendall(raw, BEGIN + PIECE * PIECES)
        async with asyncio.timeout(SECONDS):
            while len(connection.frames) <= PIECES:
                await asyncio.sleep(0.01)
        await loop.sock_sendall(raw, PIECE)
        assert CLOSE_4408 in await rest(raw)


async def test_who_does_not_read_is_cut_without_a_word(server):
    """More than the buffers between take is on its way, so a close would wait for ever."""
    with client() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await connected(server, raw)
        (connection,) = server.server_state.connections
        connection.transport.write(b"x" * 8_000_000)
        assert not connection.writable.is_set()
        await send_without_end(raw, PONG * 10_000)
        async with asyncio.timeout(SECONDS):
            while server.server_state.connections:
                await asyncio.sleep(0.01)
