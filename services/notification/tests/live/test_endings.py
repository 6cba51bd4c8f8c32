"""A connection ends with its sign-in, with nonsense, with its server; and its client is told why."""

import asyncio
import json
from types import SimpleNamespace

import httpx2
import pytest

from grove.core.errors import ServiceUnavailable
from grove.core.ids import new_id
from grove_notification.live import sweeper as sweeper_module
from grove_notification.live.connection import TOO_SLOW

pytestmark = pytest.mark.integration


@pytest.fixture
def me():
    return new_id()


@pytest.fixture
def feed(replica, monkeypatch):
    """A revocation feed that is trusted, or not."""
    feed = SimpleNamespace(live=True, changes=0)
    monkeypatch.setattr(replica.resources.sign_in, "feed", feed)
    return feed


@pytest.fixture
def asked(gate, monkeypatch) -> list[str]:
    """The tokens that the gate was asked about."""
    asked, admits = [], gate.admits

    async def heard(principal) -> bool:
        asked.append(principal.token_id)
        return await admits(principal)

    monkeypatch.setattr(gate, "admits", heard)
    return asked


async def looked_again(replica, looks: int = 2) -> None:
    """Wait until the sweeper has looked that often."""
    seen = []
    look = replica.only().look

    def counted(moment, wall) -> None:
        seen.append(moment)
        look(moment, wall)

    replica.only().look = counted
    async with asyncio.timeout(20):
        while len(seen) < looks:
            await asyncio.sleep(0.01)


def test_a_revoked_session_is_looked_at_within_a_second():
    assert sweeper_module.LOOK_SECONDS < 0.5


async def test_a_revoked_session_ends_at_the_next_look(replica, connect, issuer, gate, feed, me):
    """How long that takes beyond the pause before it is the machine's."""
    async with (
        connect(replica.url, issuer.headers(me, sid="s9")) as revoked,
        connect(replica.url, issuer.headers(me, sid="s10")) as other,
    ):
        await revoked.frame("unread_count")
        gate.revoked.add("s9")
        feed.changes += 1
        assert await revoked.ended() == 4401
        await other.frame("unread_count")


async def test_without_the_feed_each_token_is_asked_about(replica, connect, issuer, gate, asked, me):
    assert not replica.resources.sign_in.feed.live
    token = {"Authorization": f"Bearer {issuer.token(me, sid='s9', jti='t1')}"}
    async with connect(replica.url, token) as one, connect(replica.url, token) as two:
        await one.frame("unread_count")
        await two.frame("unread_count")
        asked.clear()
        while len(asked) < 3:
            await asyncio.sleep(0.01)
        gate.revoked.add("s9")
        assert (await one.ended(), await two.ended()) == (4401, 4401)


async def test_with_the_feed_a_token_is_looked_at_when_there_is_something_new(
    replica, connect, issuer, feed, asked, me
):
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        await looked_again(replica)
        asked.clear()
        await looked_again(replica, 3)
        assert asked == []
        feed.changes += 1
        await looked_again(replica, 3)
        assert len(asked) == 1


async def test_a_session_revoked_while_it_connected_ends_all_the_same(replica, connect, issuer, gate, feed, me):
    """After the sign-in, before the hub knew the connection: the feed has nothing new since."""
    join = replica.hub.join

    def late(connection) -> None:
        gate.revoked.add("s9")
        feed.changes += 1
        join(connection)

    replica.hub.join = late
    try:
        async with connect(replica.url, issuer.headers(me, sid="s9")) as client:
            assert await client.ended() == 4401
    finally:
        del replica.hub.join


async def test_a_sign_in_that_nobody_can_check_ends_after_a_while(replica, connect, issuer, gate, monkeypatch):
    monkeypatch.setattr(sweeper_module, "UNKNOWN_SECONDS", 0.6)
    async with connect(replica.url, issuer.headers()) as client:
        await client.frame("unread_count")

        async def away(_):
            raise ServiceUnavailable

        monkeypatch.setattr(gate, "admits", away)
        assert await client.ended() == 1013


async def test_a_check_that_hangs_is_none(replica, connect, issuer, gate, monkeypatch):
    monkeypatch.setattr(sweeper_module, "UNKNOWN_SECONDS", 0.6)
    async with connect(replica.url, issuer.headers()) as client:
        await client.frame("unread_count")

        async def hangs(_):
            await asyncio.sleep(3600)

        monkeypatch.setattr(gate, "admits", hangs)
        assert await client.ended() == 1013


async def test_a_token_that_ends_ends_the_connection(replica, connect, issuer, monkeypatch):
    async with connect(replica.url, issuer.headers()) as client:
        await client.frame("unread_count")
        expires_at = replica.only().principal.expires_at
        monkeypatch.setattr(sweeper_module, "now", lambda: expires_at)
        assert await client.ended() == 4401


async def test_a_renewed_token_keeps_the_connection(replica, over_sockets, issuer, make, me, monkeypatch):
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        before = replica.only().principal
        later = int(before.expires_at.timestamp()) + 600
        await client.say(token=issuer.token(me, exp=later))
        async with asyncio.timeout(20):
            while replica.only().principal is before:
                await asyncio.sleep(0.01)
        monkeypatch.setattr(sweeper_module, "now", lambda: before.expires_at)
        await looked_again(replica)
        await make(me, "A")
        assert await client.titles(1) == ["A"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("nonsense", 4400),
        ("[]", 4400),
        ('{"x": 1}', 4400),
        ("[" * 60_000, 4400),
        (b"\0", 4400),
        ('{"ack": 1}', 4400),
        ('{"token": "bad"}', 4401),
    ],
)
async def test_bad_messages_end_it(replica, over_sockets, issuer, message, code):
    async with over_sockets(replica.url, issuer.headers()) as client:
        await client.socket.send(message)
        assert await client.ended() == code


async def test_an_acknowledgement_of_what_was_not_sent_here_says_nothing(replica, over_sockets, issuer, make, me):
    """Of the connection before, for one: a client that comes back may send what it still had to say."""
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        stream = (await client.frame("unread_count"))["id"].split(".")[0]
        for ack in ("x", "AAAAAAAAAAAA.0", str(new_id()), f"{stream}.7"):
            await client.say(ack=ack)
        await make(me, "A")
        assert await client.titles(1) == ["A"]
        assert await replica.resources.acks.last(me, stream) == 0


@pytest.mark.parametrize("renewed", ["another's", "of other scopes", "revoked"])
async def test_a_token_that_does_not_go_on_with_the_same_ends_it(replica, over_sockets, issuer, gate, me, renewed):
    gate.revoked.add("s8")
    token = {
        "another's": issuer.token(),
        "of other scopes": issuer.token(me, scope="tasks:read"),
        "revoked": issuer.token(me, sid="s8"),
    }[renewed]
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        await client.socket.send(json.dumps({"token": token}))
        assert await client.ended() == 4401


async def chunks(size: int, count: int):
    for _ in range(count):
        yield b"x" * size


async def test_a_body_that_no_stream_takes_ends_it_and_is_no_fault_of_ours(replica, issuer):
    """Longer than any may be, of a length that was not told: else it is refused before anything."""
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=20) as client,
        client.stream("GET", f"{replica.url}/events", headers=issuer.headers(), content=chunks(100_000, 20)) as answer,
    ):
        said = (await answer.aread()).decode()
        assert 'event: close\ndata: {"code": 4400' in said


async def test_an_event_stream_is_the_last_of_its_connection(replica, issuer):
    """A slow reader's connection is cut after a while, which must not be one that a proxy gave to somebody else."""
    reader, writer = await asyncio.open_connection("127.0.0.1", replica.server.config.port)
    token = issuer.headers()["Authorization"]
    asked = f"GET /api/v1/notifications/events HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
    writer.write(asked.encode())
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nconnection: close\r\n" in head.lower()
        replica.only().end(TOO_SLOW)
        assert (await reader.read()).endswith(b"\r\n0\r\n\r\n"), "told why, and closed"
    writer.close()


async def test_a_server_that_stops_ends_its_connections_and_takes_no_more(start, over_sockets, over_http, issuer, me):
    replica = await start()
    async with over_sockets(replica.url, issuer.headers(me)) as one, over_http(replica.url, issuer.headers(me)) as two:
        await one.frame("unread_count")
        await two.frame("unread_count")
        replica.server.should_exit = True
        assert (await one.ended(), await two.ended()) == (1012, 1012)
        async with asyncio.timeout(20):
            while list(replica.hub):
                await asyncio.sleep(0.01)
    with pytest.raises(ServiceUnavailable):
        replica.hub.join(None)


async def test_a_client_that_goes_is_forgotten(replica, connect, issuer, me):
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        assert len(list(replica.hub)) == 1
    async with asyncio.timeout(20):
        while list(replica.hub):
            await asyncio.sleep(0.01)
