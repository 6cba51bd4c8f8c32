"""What clients send is limited: nobody takes the process from the others by talking."""

import asyncio
import json
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.api_keys import new_secret
from grove.web import api_keys as api_keys_module
from grove.web.api_keys import ApiKeyVerifier, KeyAnswer, KeyBearer
from grove.web.auth import Authenticator
from grove_notification.live import sockets as sockets_module
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
    monkeypatch.setattr(sockets_module, "MESSAGES_PER_SECOND", 0)


async def test_who_sends_too_much_is_ended_and_told(replica, over_sockets, issuer, me, no_more):
    async with (
        over_sockets(replica.url, issuer.headers(me)) as client,
        over_sockets(replica.url, issuer.headers(me)) as other,
    ):
        ack = (await client.frame("unread_count"))["id"]
        for _ in range(sockets_module.MESSAGES_AT_ONCE + 1):
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
        for _ in range(sockets_module.MESSAGES_AT_ONCE):
            await client.say(ack=ack)
        async with asyncio.timeout(20):
            while len(remembered) < sockets_module.MESSAGES_AT_ONCE:
                await asyncio.sleep(0.01)
        await make(me, "A")
        assert await client.titles(1) == ["A"]


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


async def test_the_same_api_key_goes_on_each_time(replica, over_sockets, me, gate, resources, monkeypatch):
    """Its sign-in ends an hour after it was looked at: passing it over would end the connection then."""
    ends = iter(now() + timedelta(hours=hours) for hours in range(1, 10))

    async def ask(_) -> KeyAnswer:
        bearer = KeyBearer(
            user_id=me,
            api_key_id=str(new_id()),
            secret_id="s1",
            scopes=["notifications:read"],
            version=1,
            global_version=0,
            created_at=now(),
            expires_at=next(ends),
        )
        return KeyAnswer(bearer=bearer)

    monkeypatch.setattr(api_keys_module, "KNOWN_SECONDS", 0)
    keys = ApiKeyVerifier(ask, resources.limiter)
    authenticator = Authenticator(keys, gate, resources.limiter, api_keys=keys)
    monkeypatch.setattr(resources.sign_in, "authenticator", authenticator)
    key = new_secret()
    async with over_sockets(replica.url, {"Authorization": f"Bearer {key}"}) as client:
        await client.frame("unread_count")
        for _ in range(3):
            before = replica.only().principal.expires_at
            await client.say(token=key)
            async with asyncio.timeout(20):
                while replica.only().principal.expires_at <= before:
                    await asyncio.sleep(0.01)


async def test_tokens_cost_more_than_other_messages(replica, over_sockets, issuer, verified, me, no_more):
    async with over_sockets(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        verified.clear()
        for number in range(100):
            await client.socket.send(json.dumps({"token": issuer.token(me, jti=f"t{number}")}))
        assert await client.ended() == 4408
        assert len(verified) == sockets_module.MESSAGES_AT_ONCE // sockets_module.TOKEN_COSTS


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
