"""What of an answer is read and parsed: counted, since each byte and each piece is work."""

from collections.abc import Callable

import anyio
import h11
import pytest
from anyio.abc import ByteStream

from grove_notification.webhooks.deliveries import exchange as module
from grove_notification.webhooks.deliveries.bounded import SaidTooMuch
from grove_notification.webhooks.deliveries.exchange import (
    MAX_BODY,
    MAX_EARLY,
    MAX_HEAD,
    MAX_LINES,
    MAX_STEPS,
    Exchange,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\n\r\n"


class Said(ByteStream):
    """Says something, in pieces of `at_once`, and hangs up."""

    def __init__(self, said: bytes, at_once: int) -> None:
        self.left = said
        self.at_once = at_once
        self.sent = b""
        self.received = 0

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self.left:
            raise anyio.EndOfStream
        piece, self.left = self.left[: min(max_bytes, self.at_once)], self.left[min(max_bytes, self.at_once) :]
        self.received += len(piece)
        return piece

    async def send(self, item: bytes) -> None:
        self.sent += item

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None: ...


@pytest.fixture
def steps(monkeypatch) -> list[None]:
    """One for each step of the parser."""
    taken: list[None] = []
    step = h11.Connection.next_event

    def count(connection: h11.Connection):
        taken.append(None)
        return step(connection)

    monkeypatch.setattr(h11.Connection, "next_event", count)
    return taken


@pytest.fixture(params=[1, 7, 100_000])
def asked(request) -> Callable[..., Exchange]:
    """An exchange whose request was sent: await asked(b"HTTP/1.1 200 OK…")."""

    async def asked(said: bytes) -> tuple[Exchange, Said]:
        stream = Said(said, request.param)
        made = Exchange(stream)
        await made.send(b"/in?a=1", [("Host", "hook.example"), ("webhook-id", "1")], b"{}")
        return made, stream

    return asked


async def whole(exchange: Exchange) -> tuple[h11.Response, bytes]:
    return await exchange.head(), b"".join([piece async for piece in exchange.body()])


async def test_a_request_is_sent_in_full(asked):
    _, stream = await asked(b"")
    head, body = stream.sent.split(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /in?a=1 HTTP/1.1",
        b"Host: hook.example",
        b"webhook-id: 1",
        b"Content-Length: 2",
        b"Connection: close",
    ]
    assert body == b"{}"


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Content-Length: 5\r\n\r\nhello, and more",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"\r\nhello",
    ],
)
async def test_answers(asked, framed):
    exchange, _ = await asked(EARLY * MAX_EARLY + HEAD + b"Retry-After: 7\r\n" + framed)
    head, body = await whole(exchange)
    assert (head.status_code, dict(head.headers)[b"retry-after"]) == (200, b"7")
    assert body == (b"hello, and more"[: len(body)] if b"Length" not in framed else b"hello")
    assert body.startswith(b"hello")


async def test_lines_may_end_without_a_carriage_return(asked):
    exchange, _ = await asked(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")
    assert (await whole(exchange))[1] == b"ok"


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        (HEAD + b"a:\r\n" * (MAX_LINES - 2) + b"\r\n", True),
        (HEAD + b"a:\r\n" * (MAX_LINES - 1) + b"\r\n", False),
        (HEAD + b"a:\r\n" * 24_000 + b"\r\n", False),
        (HEAD + b"a:\r\n" * 24_000, False),
        (HEAD + b"X: " + b"x" * (MAX_HEAD - len(HEAD) - 7) + b"\r\n\r\n", True),
        (HEAD + b"X: " + b"x" * (MAX_HEAD - len(HEAD) - 6) + b"\r\n\r\n", False),
        (HEAD + b"X: " + b"x" * 200_000, False),
        (EARLY * MAX_EARLY + HEAD + b"\r\n", True),
        (EARLY * (MAX_EARLY + 1) + HEAD + b"\r\n", False),
        (EARLY * 8_900 + HEAD + b"\r\n", False),
        (EARLY[:-2] + b"a:\r\n" * 50 + b"\r\n" + HEAD + b"a:\r\n" * 46 + b"\r\n", True),
        (EARLY[:-2] + b"a:\r\n" * 50 + b"\r\n" + HEAD + b"a:\r\n" * 47 + b"\r\n", False),
        (EARLY[:-2] + b"X: " + b"x" * 10_000 + b"\r\n\r\n" + HEAD + b"X: " + b"x" * 7_000 + b"\r\n\r\n", False),
    ],
)
async def test_heads_have_an_end(asked, steps, said, fine):
    exchange, stream = await asked(said)
    if fine:
        assert (await exchange.head()).status_code == 200
    else:
        with pytest.raises(SaidTooMuch):
            await exchange.head()
    assert len(steps) <= MAX_EARLY + 1
    assert stream.received <= MAX_HEAD + module._MAX_READ


async def test_no_head_that_has_too_many_lines_is_parsed(asked, steps):
    exchange, _ = await asked(HEAD + b"a:\r\n" * 1000 + b"\r\n")
    with pytest.raises(SaidTooMuch):
        await exchange.head()
    assert steps == []


@pytest.mark.parametrize(
    "framed",
    [
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 27_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1;" + b"e" * 5000 + b"\r\nx\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a:\r\n" * 24_000 + b"\r\n",
        b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
        b"\r\n" + b"x" * 1_000_000,
    ],
)
async def test_of_a_body_the_beginning_is_read_in_few_steps(asked, steps, framed):
    exchange, stream = await asked(HEAD + framed)
    _, body = await whole(exchange)
    assert len(steps) <= 1 + MAX_STEPS
    assert len(body) <= MAX_BODY
    assert stream.received <= MAX_BODY + 2 * module._MAX_READ


async def test_what_hangs_up_has_not_answered(asked):
    for said in (b"", HEAD, EARLY):
        exchange, _ = await asked(said)
        with pytest.raises(anyio.EndOfStream):
            await exchange.head()


async def test_a_body_that_breaks_off_has_a_beginning(asked):
    exchange, _ = await asked(HEAD + b"Content-Length: 5\r\n\r\nhe")
    assert (await exchange.head()).status_code == 200
    said = b""
    with pytest.raises(h11.RemoteProtocolError):
        async for piece in exchange.body():
            said += piece
    assert said == b"he"


async def test_who_hangs_up_while_it_is_sent_may_have_answered():
    class Full(Said):
        async def send(self, item: bytes) -> None:
            raise anyio.BrokenResourceError

    exchange = Exchange(Full(b"HTTP/1.1 413 Too Large\r\n\r\n", 100))
    await exchange.send(b"/", [("Host", "hook.example")], b"x" * 100)
    assert (await exchange.head()).status_code == 413
