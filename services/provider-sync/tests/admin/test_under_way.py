"""What was under way when all access to a provider was ended brings no token of before back to life."""

import asyncio

import pytest

from grove.core.errors import UpstreamError
from grove_provider_sync.admin.sweeping import DeadTokenSweep
from grove_provider_sync.models import TokenRevocation
from grove_provider_sync.providers.interface import Grant, ProviderRefused, ProviderThrottled, Tokens
from grove_provider_sync.sync.pages import Pages
from grove_provider_sync.sync.runner import SyncRunner
from grove_provider_sync.tokens.errors import TokensGone
from grove_provider_sync.tokens.keeper import TokenKeeper

pytestmark = pytest.mark.integration

REVOKED = "revoked_by_operator"


async def test_no_call_bears_a_token_of_before_though_runs_were_under_way(
    people, resources, operator, sweep, stored, told, count, gate, bank, monkeypatch
):
    """20 runs have a page in hand and the next one fetched when all access is ended."""
    whole = Pages._apply

    async def held(self, *arguments):
        await gate()
        await whole(self, *arguments)

    monkeypatch.setattr(Pages, "_apply", held)
    everybody = await people(20)
    running = [asyncio.create_task(SyncRunner(resources).run(connection["id"])) for _, connection in everybody]
    await gate.held(20)
    while (await bank()).get("/api/transactions", 0) < 40:  # each fetches its second page while it applies the first
        await asyncio.sleep(0.01)
    before = await bank()
    assert await operator.revoke_all() == 20
    gate.open()
    sweeping = [asyncio.create_task(sweep()) for _ in range(2)]
    await asyncio.gather(*running, *sweeping)
    await sweep()
    assert await bank() == before
    ids = [connection["id"] for _, connection in everybody]
    assert {(each.status, each.sealed_tokens) for each in await stored()} == {("needs_reauth", None)}
    assert sorted(await told()) == sorted((each, REVOKED) for each in ids)
    assert await count(TokenRevocation) == 20


async def test_runs_refreshes_and_sweeps_of_several_workers_meet_without_a_deadlock(
    people, eager, resources, operator, sweep, stored, told, bank, calm
):
    """STORE_ERRORS are raised by the runner: a deadlock anywhere would show."""
    everybody = await people(20)
    ids = [connection["id"] for _, connection in everybody]

    async def refreshes(connection_id: str) -> None:
        keeper = TokenKeeper(eager)
        for _ in range(3):
            try:
                await keeper.tokens(connection_id)
            except TokensGone:
                return

    running = [asyncio.create_task(SyncRunner(resources).run(each)) for each in ids for _ in range(2)]
    refreshing = [asyncio.create_task(refreshes(each)) for each in ids]
    revoking = [asyncio.create_task(operator.revoke_all()) for _ in range(2)]
    sweeping = [asyncio.create_task(DeadTokenSweep(resources).sweep()) for _ in range(5)]
    await asyncio.gather(*running, *refreshing, *revoking, *sweeping)
    await sweep()
    assert {(each.status, each.sealed_tokens) for each in await stored()} == {("needs_reauth", None)}
    assert sorted(await told()) == sorted((each, REVOKED) for each in ids)
    quiet = await bank()
    await asyncio.gather(*(SyncRunner(resources).run(each) for each in ids))
    assert await bank() == quiet
    await calm()
    user, connection = everybody[0]
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    assert (await user.callback(await user.consent(again["authorization_url"]))).json()["status"] == "active"
    await SyncRunner(resources).run(connection["id"])
    await sweep()
    [found] = await stored(connection["id"])
    assert (found.status, found.provider_version) == ("active", 2)
    assert len(await user.transactions()) == 120


@pytest.mark.parametrize("refusal", [UpstreamError("No."), ProviderRefused(), ProviderThrottled(30), TokensGone()])
async def test_a_run_that_was_lost_while_its_provider_refused_ends_quietly(
    user, runner, resources, operator, stored, told, monkeypatch, refusal
):
    connection = await user.connect()

    async def refuses(_: str):
        await operator.post(f"/connections/{connection['id']}/revoke", {"reason": "A breach."})
        raise refusal

    monkeypatch.setattr(resources.providers.get("sandbox"), "accounts", refuses)
    await runner.run(connection["id"])
    assert await told() == [(connection["id"], REVOKED)]
    [found] = await stored()
    assert (found.status, found.failures) == ("needs_reauth", 1)


async def test_a_refresh_that_was_under_way_brings_no_living_token(
    user, eager, operator, sweep, stored, count, gate, monkeypatch, bank
):
    connection = await user.connect()
    provider = eager.providers.get("sandbox")
    whole = provider.refresh

    async def held(tokens):
        fresh = await whole(tokens)
        await gate()
        return fresh

    monkeypatch.setattr(provider, "refresh", held)
    running = asyncio.create_task(SyncRunner(eager).run(connection["id"]))
    await gate.held(1)
    assert await operator.revoke_all() == 1
    gate.open()
    await running
    assert "/api/accounts" not in await bank()
    await sweep()
    [found] = await stored()
    assert (found.status, found.sealed_tokens) == ("needs_reauth", None)
    assert await count(TokenRevocation) == 1, "the fresh tokens, which the old ones became"


@pytest.mark.parametrize("swept_before", [False, True])
async def test_a_callback_that_was_under_way_brings_no_living_token(
    user, resources, operator, sweep, stored, told, gate, monkeypatch, bank, swept_before
):
    provider = resources.providers.get("sandbox")
    whole = provider.exchange

    async def held(back):
        grant = await whole(back)
        await gate()
        return grant

    monkeypatch.setattr(provider, "exchange", held)
    started = await user.begin()
    finishing = asyncio.create_task(user.callback(await user.consent(started["authorization_url"])))
    await gate.held(1)
    assert await operator.revoke_all() == 0
    if swept_before:
        await sweep()
    gate.open()
    assert (await finishing).status_code == 200
    await SyncRunner(resources).run(started["id"])
    await sweep()
    assert "/api/accounts" not in await bank()
    [found] = await stored()
    assert (found.status, found.sealed_tokens) == ("needs_reauth", None)
    assert await told() == [(started["id"], REVOKED)]


@pytest.fixture
def mends(user, resources, gate, monkeypatch):
    """The bank mends access in place: who consents again keeps the tokens. `asked`: what it was given to mend."""
    provider = resources.providers.get("sandbox")
    asked: list[Tokens | None] = []
    authorize = provider.authorize

    async def asks(asking):
        asked.append(asking.held)
        return await authorize(asking)

    async def exchange(back):
        await gate()
        if back.held is None:
            raise ProviderRefused
        return Grant(back.held, user.customer)

    monkeypatch.setattr(provider, "authorize", asks)

    def begin() -> list[Tokens | None]:
        monkeypatch.setattr(provider, "exchange", exchange)
        return asked

    return begin


async def test_dead_tokens_can_not_be_mended(user, operator, stored, mends, gate):
    """Nothing has swept yet: the connection holds them still."""
    connection = await user.connect()
    asked = mends()
    gate.open()
    before = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    await operator.revoke_all()
    assert (await user.callback(await user.consent(before["authorization_url"]))).status_code == 502
    await user.call("POST", f"/connections/{connection['id']}/reauthorize")
    assert [held is not None for held in asked[-2:]] == [True, False]
    [found] = await stored()
    assert found.provider_version == 0


@pytest.mark.parametrize("all_of_them", [True, False])
async def test_tokens_that_are_taken_away_while_they_are_mended_stay_away(
    user, operator, sweep, stored, mends, gate, all_of_them
):
    connection = await user.connect()
    mends()
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    finishing = asyncio.create_task(user.callback(await user.consent(again["authorization_url"])))
    await gate.held(1)
    if all_of_them:
        await operator.revoke_all()
        await sweep()
    else:
        await operator.post(f"/connections/{connection['id']}/revoke", {"reason": "A breach."})
    gate.open()
    assert (await finishing).status_code == 410
    [found] = await stored()
    assert (found.status, found.sealed_tokens) == ("needs_reauth", None)
