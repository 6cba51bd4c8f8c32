"""What clients send is limited: nobody takes the process from the others by talking."""

import asyncio
import json

import pytest

from grove.core.ids import new_id
from grove_notification.live import allowance as allowance_module
from grove_notification.live.acks import Acks

pytestmark = pytest.mark.integration


@pytest.fixture
def me():
    return new_id()


@pytest.fixture
def verified(replica, monkeypatch) -> list[str]:
    """The tokens that were verified."""
    seen: list[str] = []
    authenticator = replica.resources.sign_in.authenticator
    verify = authenticator.verifier.verify

    async def heard(token):
        seen.append(token)
        return await verify(token)

    monkeypatch.setattr(authenticator.verifier, "verify", heard)
    return seen


@pytest.fixture
def no_more(monkeypatch):
    """What was spent does not come back."""
    monkeypatch.setattr(allowance_module, "PER_SECOND", 0)


async def test_who_sends_too_much_is_ended_and_told(replica, over_sockets, issuer, me, no_more):
    async with (
        over_sockets(replica.url, issuer.headers(me)) as client,
        over_sockets(replica.url, issuer.headers(me)) as other,
    ):
        ack = (await client.frame("unread_count"))["id"]
        for _ in range(allowance_module.AT_ONCE + 1):
            await client.say(ack=ack)
        assert await client.ended() == 4408
        assert client.socket.close_reason.startswith("you send too much")
        await other.say(ack=(await other.frame("unread_count"))["id"])


async def test_a_burst_of_acknowledgements_is_none_too_many(
    replica, over_sockets, issuer, make, me, no_more, monkeypatch
):
    remembered = []

    async def remember(_, user_id, frame) -> None:
        remembered.append(frame.position)

    monkeypatch.setattr(Acks, "remember", remember)
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        ack = (await client.frame("unread_count"))["id"]
        for _ in range(allowance_module.AT_ONCE):
            await client.say(ack=ack)
        async with asyncio.timeout(20):
            while len(remembered) < allowance_module.AT_ONCE:
                await asyncio.sleep(0.01)
        await make(me, "A")
        assert await client.titles(1) == ["A"]


async def test_what_was_spent_comes_back(monkeypatch):
    moment = 1000.0
    monkeypatch.setattr(allowance_module.time, "monotonic", lambda: moment)
    allowance = allowance_module.Allowance()
    assert allowance.take(allowance_module.AT_ONCE)
    moment += 1
    assert all(allowance.take(1) for _ in range(allowance_module.PER_SECOND))
    moment += 3600
    assert allowance.take(allowance_module.AT_ONCE)
    assert not allowance.take(1), "never more than that at once"


async def test_the_present_token_again_is_passed_over(replica, over_sockets, issuer, verified, me):
    token = issuer.token(me, jti="again")
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        verified.clear()
        for _ in range(100):
            await client.say(token=token)
        await client.say(token=issuer.token(me, jti="another"))
        async with asyncio.timeout(20):
            while replica.only().principal.token_id != "another":
                await asyncio.sleep(0.01)
        assert len(verified) == 2
        await client.say(token=token)
        async with asyncio.timeout(20):
            while replica.only().principal.token_id != "again":
                await asyncio.sleep(0.01)
        assert len(verified) == 3


async def test_tokens_cost_more_than_other_messages(replica, over_sockets, issuer, verified, me, no_more):
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        verified.clear()
        for number in range(100):
            await client.socket.send(json.dumps({"token": issuer.token(me, jti=f"t{number}")}))
        assert await client.ended() == 4408
        assert len(verified) == allowance_module.AT_ONCE // (allowance_module.TOKEN_COSTS + 1)


async def test_others_have_their_turn_between_messages(replica, over_sockets, issuer, me, monkeypatch):
    """Messages that are in memory already are taken one by one, with a turn for everybody else between."""
    turns, taken = [], []

    async def remember(_, user_id, frame) -> None:
        taken.append(len(turns))

    monkeypatch.setattr(Acks, "remember", remember)

    async def other() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    async with over_sockets(replica.url, issuer.headers(me)) as client:
        ack = (await client.frame("unread_count"))["id"]
        receive = replica.only()._socket.receive
        given = iter([{"type": "websocket.receive", "text": json.dumps({"ack": ack})}] * 100)

        async def from_memory():
            return next(given, None) or await receive()

        monkeypatch.setattr(replica.only()._socket, "receive", from_memory)
        turning = asyncio.create_task(other())
        await client.say(ack=ack)
        async with asyncio.timeout(20):
            while len(taken) < 101:
                await asyncio.sleep(0.01)
        turning.cancel()
    assert len(set(taken)) == 101
