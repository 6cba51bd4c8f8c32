"""Calls to providers: tried again where that is safe, with pauses as asked, bounded answers, checked certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import TypeAdapter

from grove.core.errors import UpstreamError, UpstreamTimeout
from grove.web.client import MAX_RESPONSE_BYTES, CircuitOpen, outside_client
from grove_provider_sync.providers.http import ProviderHttp, content_of
from grove_provider_sync.providers.interface import Description, ProviderThrottled
from grove_provider_sync.providers.published import Published, read
from grove_provider_sync.providers.turns import Turns

pytestmark = pytest.mark.integration

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Bank:
    """A server that plays one answer after the other, a connection each."""

    def __init__(self) -> None:
        self.plays: list[bytes | Play] = []
        self.asked = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            play = self.plays[min(self.asked, len(self.plays) - 1)]
            self.asked += 1
            if isinstance(play, bytes):
                writer.write(play)
            else:
                await play(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    bank = Bank()
    server = await asyncio.start_server(bank.serve, "127.0.0.1", 0)
    bank.port = server.sockets[0].getsockname()[1]
    async with server:
        yield bank


@pytest.fixture
async def http(resources, bank) -> AsyncIterator[ProviderHttp]:
    client = outside_client("Some Bank", f"http://127.0.0.1:{bank.port}", total=0.5)
    description = Description(f"bank-{bank.port}", "Some Bank", "bank", ())
    http = ProviderHttp(
        description,
        client,
        Turns(resources.valkey, "provider-sync", wait_seconds=0),
        whole_pause=lambda answer: answer.headers.get("scope") != "one",
    )
    await resources.valkey.delete(f"provider-sync:pause:{description.key}")
    yield http
    await http.aclose()


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers))
    return lines.encode() + b"\r\n\r\n" + body


async def hangs(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def closes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")


@pytest.mark.parametrize("fault", [answer("500 Oh"), answer("502 Oh"), closes, hangs])
async def test_what_may_pass_is_tried_again(bank, http, fault):
    bank.plays = [fault, OK]
    assert (await http.request("GET", "/")).status_code == 200
    assert bank.asked == 2


async def test_tries_come_to_an_end(bank, http):
    bank.plays = [answer("500 Oh")]
    with pytest.raises(UpstreamError, match="Some Bank answered 500"):
        await http.request("GET", "/")
    assert bank.asked == 3


@pytest.mark.parametrize("fault", [answer("500 Oh"), closes, hangs])
async def test_what_may_have_had_its_effect_is_not_tried_again(bank, http, fault):
    bank.plays = [fault, OK]
    with pytest.raises((UpstreamError, UpstreamTimeout)):
        await http.request("POST", "/")
    assert bank.asked == 1


async def test_a_post_that_only_reads_is_tried_again(bank, http):
    bank.plays = [answer("503 Oh"), OK]
    assert (await http.request("POST", "/", repeatable=True)).status_code == 200


@pytest.mark.parametrize(
    ("status", "headers", "seconds", "whole"),
    [
        ("429 Slow", ["Retry-After: 77"], 77, True),
        ("429 Slow", ["Retry-After: 77", "scope: one"], 77, False),
        ("429 Slow", [], 60, True),
        ("429 Slow", ["Retry-After: soon"], 60, True),
        ("429 Slow", ["Retry-After: 0"], 1, True),
        ("429 Slow", ["Retry-After: Wed, 01 Jul 2020 12:00:00 GMT"], 1, True),
        ("503 Later", ["Retry-After: 33"], 33, True),
    ],
)
async def test_a_pause_that_is_asked_for_is_kept(bank, http, status, headers, seconds, whole):
    bank.plays = [answer(status, *headers)]
    with pytest.raises(ProviderThrottled) as told:
        await http.request("GET", "/")
    assert (round(told.value.retry_after), told.value.whole) == (seconds, whole)
    with pytest.raises(ProviderThrottled):
        await http.request("GET", "/")
    assert bank.asked == 1


async def test_a_provider_that_is_down_is_left_alone_for_a_while(bank, http):
    bank.plays = [answer("500 Oh")]
    for _ in range(2):
        with pytest.raises((UpstreamError, CircuitOpen)):
            await http.request("GET", "/")
    with pytest.raises(CircuitOpen):
        await http.request("GET", "/")
    assert bank.asked == 5


async def test_answers_are_not_read_beyond_a_bound(bank, http):
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MAX_RESPONSE_BYTES // 65536 + 2):
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    bank.plays = [endless]
    with pytest.raises(UpstreamError, match="more than"):
        await http.request("POST", "/")


async def test_redirects_are_not_followed(bank, http):
    bank.plays = [answer("302 Elsewhere", f"Location: http://127.0.0.1:{bank.port}/x"), OK]
    found = await http.request("GET", "/")
    assert (found.status_code, bank.asked) == (302, 1)
    with pytest.raises(UpstreamError, match="answered 302"):
        content_of(found, "Some Bank")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"\xff"])
async def test_what_is_no_object_is_no_answer(bank, http, body):
    bank.plays = [answer("200 OK", body=body)]
    with pytest.raises(UpstreamError):
        read(TypeAdapter(Published), content_of(await http.request("GET", "/"), "Some Bank"), "Some Bank")


async def test_a_certificate_of_nobody_is_not_trusted(resources, stores):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(stores.layout.identity_file("provider-sync-test"))
    bank = Bank()
    bank.plays = [OK]
    server = await asyncio.start_server(bank.serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        description = Description("tls", "Some Bank", "bank", ())
        turns = Turns(resources.valkey, "provider-sync", wait_seconds=0)
        client = outside_client("Some Bank", f"https://127.0.0.1:{port}", total=5)
        http = ProviderHttp(description, client, turns, whole_pause=lambda _: True)
        with pytest.raises(UpstreamError, match="can't be reached"):
            await http.request("POST", "/")
        await http.aclose()
    assert bank.asked == 0
