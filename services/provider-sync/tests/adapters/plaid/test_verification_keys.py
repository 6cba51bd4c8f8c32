"""Keys are fetched once, kept for a while, and strangers can't make us ask for many."""

import asyncio
from uuid import uuid4

import pytest
from joserfc.jwk import ECKey

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.plaid.failures import KeyUnknown
from grove_provider_sync.adapters.plaid.published import VerificationKey
from grove_provider_sync.adapters.plaid.verification_keys import (
    FRESH_SECONDS,
    LOOKUP_SECONDS,
    LOOKUPS,
    MAX_KEYS,
    UNKNOWN_SECONDS,
    VerificationKeys,
)
from grove_provider_sync.providers.interface import NoticeRefused


class Plaid:
    """Its keys, and what was asked for; time stands still until it is moved."""

    def __init__(self) -> None:
        self.keys: dict[str, VerificationKey] = {}
        self.asked: list[str] = []
        self.time = 1000.0
        self.down = False
        self.ours = VerificationKeys(self.fetch, lambda: self.time)

    def add(self, **changes) -> str:
        key_id = str(uuid4())
        made = ECKey.generate_key("P-256", {"kid": key_id, "alg": "ES256"}).as_dict(private=False)
        self.keys[key_id] = VerificationKey(**{**made, "expired_at": None, **changes})
        return key_id

    async def fetch(self, key_id: str) -> VerificationKey:
        self.asked.append(key_id)
        await asyncio.sleep(0)
        if self.down:
            raise UpstreamError("Plaid answered 500.")
        if key_id not in self.keys:
            raise KeyUnknown
        return self.keys[key_id]

    async def flood(self, many: int) -> int:
        """Ask for so many keys that nobody has; how many of them Plaid was asked for."""
        before = len(self.asked)
        for _ in range(many):
            with pytest.raises(NoticeRefused):
                await self.ours.get(str(uuid4()))
        return len(self.asked) - before


@pytest.fixture
def plaid() -> Plaid:
    return Plaid()


async def test_a_key_is_asked_for_once_and_again_when_it_is_stale(plaid):
    key_id = plaid.add()
    found = await asyncio.gather(*(plaid.ours.get(key_id) for _ in range(5)))
    assert (len({id(key) for key in found}), plaid.asked) == (1, [key_id])
    plaid.time += FRESH_SECONDS - 1
    await plaid.ours.get(key_id)
    assert len(plaid.asked) == 1
    plaid.time += 1
    await plaid.ours.get(key_id)
    assert len(plaid.asked) == 2


async def test_a_key_that_was_put_away_is_refused_once_ours_is_stale(plaid):
    key_id = plaid.add()
    await plaid.ours.get(key_id)
    plaid.keys[key_id] = plaid.keys[key_id].model_copy(update={"expired_at": 1})
    plaid.time += FRESH_SECONDS
    for _ in range(2):
        with pytest.raises(NoticeRefused):
            await plaid.ours.get(key_id)
    assert len(plaid.asked) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"expired_at": 1_700_000_000},
        {"alg": "RS256"},
        {"kty": "oct"},
        {"crv": "P-384"},
        {"kid": "another"},
        {"x": "AA"},
        {"x": "not base64!"},
    ],
)
async def test_a_key_of_another_form_is_refused(plaid, changes):
    with pytest.raises(NoticeRefused):
        await plaid.ours.get(plaid.add(**changes))


async def test_an_unknown_key_is_asked_for_once_in_a_while(plaid):
    for _ in range(3):
        with pytest.raises(NoticeRefused):
            await plaid.ours.get("nobody's")
    assert plaid.asked == ["nobody's"]
    plaid.time += UNKNOWN_SECONDS
    with pytest.raises(NoticeRefused):
        await plaid.ours.get("nobody's")
    assert len(plaid.asked) == 2


async def test_strangers_can_make_us_ask_so_often_only(plaid):
    assert await plaid.flood(3 * LOOKUPS) == LOOKUPS
    plaid.time += LOOKUP_SECONDS
    assert await plaid.flood(3 * LOOKUPS) == LOOKUPS


async def test_a_good_key_is_asked_for_again_in_spite_of_strangers(plaid):
    key_id = plaid.add()
    await plaid.ours.get(key_id)
    plaid.time += FRESH_SECONDS
    await plaid.flood(3 * LOOKUPS)
    await plaid.ours.get(key_id)


async def test_what_is_kept_has_bounds(plaid):
    for _ in range(MAX_KEYS + 5):
        plaid.time += LOOKUP_SECONDS
        await plaid.ours.get(plaid.add())
    assert len(plaid.ours._good) == MAX_KEYS
    for _ in range(30):
        plaid.time += LOOKUP_SECONDS
        await plaid.flood(LOOKUPS)
    assert len(plaid.ours._bad) <= LOOKUPS * UNKNOWN_SECONDS / LOOKUP_SECONDS


async def test_when_plaid_fails_nothing_is_said_about_the_key(plaid):
    key_id = plaid.add()
    plaid.down = True
    with pytest.raises(UpstreamError, match="500"):
        await plaid.ours.get(key_id)
    plaid.down = False
    await plaid.ours.get(key_id)


async def test_one_who_stops_waiting_does_not_stop_others(plaid):
    key_id = plaid.add()
    first = asyncio.create_task(plaid.ours.get(key_id))
    second = asyncio.create_task(plaid.ours.get(key_id))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).kid is None
    assert plaid.asked == [key_id]
