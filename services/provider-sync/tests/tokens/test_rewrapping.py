"""A rotated key ring: everything sealed follows, whatever happens meanwhile, and then the old key can go."""

import asyncio

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.security.encryption import DecryptionFailed, FieldCipher, new_key
from grove.security.envelopes import EnvelopeCipher
from grove_provider_sync.models import Connection, TokenRevocation
from grove_provider_sync.providers.interface import Tokens
from grove_provider_sync.tokens import rewrapping as rewrapping_module
from grove_provider_sync.tokens import sealing
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.revoking import purpose_of, queue
from grove_provider_sync.tokens.rewrapping import TokenRewrapping

pytestmark = pytest.mark.integration
TOKENS = Tokens("access", "refresh", None)


class Ring:
    """A key ring that can be rotated while everything runs."""

    def __init__(self) -> None:
        self.lines = [new_key("old")]

    def cipher(self) -> FieldCipher:
        return FieldCipher(lambda: "\n".join(self.lines))


@pytest.fixture
def ring(resources, monkeypatch) -> Ring:
    ring = Ring()
    monkeypatch.setattr(resources, "token_cipher", EnvelopeCipher(ring.cipher()))
    return ring


@pytest.fixture
def connections(resources):
    """Connections with tokens, and as many tokens that wait to be given back."""

    async def connections(count: int, waiting: int = 0) -> None:
        async with resources.sessions.begin() as session:
            for _ in range(count):
                connection = Connection(
                    id=new_id(),
                    user_id=new_id(),
                    provider="sandbox",
                    status="active",
                    status_detail="",
                    created_at=now(),
                    token_version=0,
                )
                sealing.store(resources.token_cipher, connection, TOKENS)
                session.add(connection)
            for _ in range(waiting):
                await queue(session, resources, Owner(new_id(), new_id(), "sandbox"), TOKENS)

    return connections


@pytest.fixture
def opened(resources, stored):
    """All tokens there are, opened. Raises DecryptionFailed."""

    async def opened() -> list[Tokens]:
        cipher = resources.token_cipher
        waiting = [(row.sealed_tokens, purpose_of(row.id)) for row in await stored(TokenRevocation)]
        return [
            *(sealing.stored(cipher, each) for each in await stored(Connection)),
            *(sealing.read(cipher.open(sealed, purpose=purpose)) for sealed, purpose in waiting),
        ]

    return opened


@pytest.mark.parametrize("at_once", [500, 2])
async def test_after_a_rotation_everything_opens_without_the_old_key(
    resources, ring, connections, opened, stored, monkeypatch, at_once
):
    monkeypatch.setattr(rewrapping_module, "AT_ONCE", at_once)
    await connections(4, waiting=3)
    bodies = [each.sealed_tokens.rpartition(".")[2] for each in await stored()]
    old, new = ring.lines[0], new_key("new")
    ring.lines = [new, old]
    assert await opened() == [TOKENS] * 7
    rewrapping = TokenRewrapping(resources)
    with capture_logs() as logs:
        assert await rewrapping.rewrap() == 7
        assert await rewrapping.rewrap() == 0
    told = [(each["rewrapped"], each["unreadable"]) for each in logs if each["event"] == "tokens.rewrapped"]
    assert told == [(7, 0), (0, 0)], "the old key can go now"
    ring.lines = [new]
    assert await opened() == [TOKENS] * 7
    assert [each.sealed_tokens.rpartition(".")[2] for each in await stored()] == bodies, (
        "only data keys are sealed anew"
    )


async def test_without_a_rotation_nothing_is_written(resources, ring, connections, stored):
    await connections(2)
    before = [each.sealed_tokens for each in await stored()]
    assert await TokenRewrapping(resources).rewrap() == 0
    assert [each.sealed_tokens for each in await stored()] == before


async def test_values_from_before_envelopes_become_envelopes(resources, ring, connections, opened, stored):
    await connections(1)
    [connection] = await stored()
    flat = ring.cipher().seal(sealing.written(TOKENS), purpose=sealing.purpose_of(connection))
    async with resources.sessions.begin() as session:
        await session.execute(update(Connection).values(sealed_tokens=flat))
    assert await opened() == [TOKENS]
    assert await TokenRewrapping(resources).rewrap() == 1
    assert [each.sealed_tokens.count(".") for each in await stored()] == [2]
    assert await opened() == [TOKENS]


async def test_a_refresh_meanwhile_is_never_overwritten(resources, ring, connections, opened, monkeypatch):
    await connections(1)
    ring.lines.insert(0, new_key("new"))
    fresh = Tokens("fresh", "fresh too", None)

    async def refresh() -> None:
        async with resources.sessions.begin() as session:
            connection = await session.scalar(select(Connection).with_for_update())
            sealing.store(resources.token_cipher, connection, fresh)

    rewrapping = TokenRewrapping(resources)
    one = rewrapping._one

    async def overtaken(*arguments) -> bool:
        await refresh()
        return await one(*arguments)

    monkeypatch.setattr(rewrapping, "_one", overtaken)
    assert await rewrapping.rewrap() == 0
    assert await opened() == [fresh]


async def test_what_is_unreadable_is_told_once_and_left(resources, ring, connections, opened, stored):
    await connections(3)
    ring.lines = [new_key("new")]
    before = [each.sealed_tokens for each in await stored()]
    rewrapping = TokenRewrapping(resources)
    with capture_logs() as logs:
        for _ in range(3):
            assert await rewrapping.rewrap() == 0
    told = [each["id"] for each in logs if each["event"] == "tokens.unreadable"]
    assert [each["unreadable"] for each in logs if each["event"] == "tokens.rewrapped"] == [3, 3, 3]
    assert sorted(told) == sorted(str(each.id) for each in await stored())
    assert [each.sealed_tokens for each in await stored()] == before
    with pytest.raises(DecryptionFailed):
        await opened()


async def test_the_job_rewraps_and_waits_for_a_store_that_is_away(
    resources, ring, connections, stored, opened, monkeypatch
):
    await connections(1)
    ring.lines.insert(0, new_key("new"))
    rewrapping = TokenRewrapping(resources)
    whole, away = rewrapping.rewrap, [ConnectionRefusedError()]

    async def away_at_first() -> int:
        if away:
            raise away.pop()
        return await whole()

    monkeypatch.setattr(rewrapping, "rewrap", away_at_first)
    monkeypatch.setattr(rewrapping_module, "INTERVAL_SECONDS", 0.01)
    running = asyncio.create_task(rewrapping.run())
    async with asyncio.timeout(10):
        while not (await stored())[0].sealed_tokens.startswith("new."):
            await asyncio.sleep(0.01)
    await end(running)
    assert await opened() == [TOKENS]
