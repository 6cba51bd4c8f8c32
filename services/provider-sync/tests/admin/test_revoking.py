"""The end of all access to a provider: dead at once, whatever was under way, and everybody is told once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from grove.core.clock import now
from grove_provider_sync.admin.sweeping import DeadTokenSweep
from grove_provider_sync.models import Connection, ProviderState, TokenAudit, TokenRevocation
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.pages import Pages
from grove_provider_sync.sync.runner import SyncRunner
from grove_provider_sync.tokens.errors import TokensGone
from grove_provider_sync.tokens.keeper import TokenKeeper

pytestmark = pytest.mark.integration

REVOKED = "revoked_by_operator"


@pytest.fixture
def sweep(resources):
    """Sweep until nothing is left."""

    async def sweep() -> None:
        sweeper = DeadTokenSweep(resources)
        while await sweeper.sweep():
            pass

    return sweep


@pytest.fixture
def people(client, world, issuer, user):
    """Makes users, each with a connection that has not run yet."""

    async def people(count: int) -> list[tuple[object, dict]]:
        users = [type(user)(client, world, issuer) for _ in range(count)]
        return [(each, await each.connect()) for each in users]

    return people


@pytest.fixture
async def eager(settings, offered) -> AsyncIterator[Resources]:
    """Those of a process that refreshes all tokens, however young."""
    found = Resources(settings.model_copy(update={"refresh_ahead_seconds": 2000}), offered)
    yield found
    await found.aclose()


async def count(resources, model, *conditions) -> int:
    async with resources.sessions() as session:
        return await session.scalar(select(func.count()).select_from(model).where(*conditions))


class Gate:
    """Holds who comes until it is opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self._opened = asyncio.Event()
        self._came = asyncio.Condition()

    async def __call__(self) -> None:
        async with self._came:
            self.waiting += 1
            self._came.notify_all()
        await self._opened.wait()

    async def held(self, number: int) -> None:
        async with self._came:
            await self._came.wait_for(lambda: self.waiting >= number)

    def open(self) -> None:
        self._opened.set()


async def test_no_call_bears_a_token_of_before_though_runs_were_under_way(
    people, resources, operator, sweep, stored, told, bank, monkeypatch
):
    """20 runs have a page in hand and the next one fetched when all access is ended."""
    gate, whole = Gate(), Pages._apply

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
    assert await count(resources, TokenRevocation) == 20


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


async def test_a_refresh_that_was_under_way_brings_no_living_token(
    user, eager, operator, sweep, stored, resources, monkeypatch, bank
):
    connection = await user.connect()
    gate, provider = Gate(), eager.providers.get("sandbox")
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
    assert await count(resources, TokenRevocation) == 1, "the fresh tokens, which the old ones became"


@pytest.mark.parametrize("swept_before", [False, True])
async def test_a_callback_that_was_under_way_brings_no_living_token(
    user, resources, operator, sweep, stored, told, monkeypatch, bank, swept_before
):
    gate, provider = Gate(), resources.providers.get("sandbox")
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


async def test_who_had_to_reconnect_anyway_is_told_no_second_time(user, runner, world, operator, sweep, told, stored):
    connection = await user.connect()
    await world.post(f"/control/customers/{user.customer}/revoke")
    await runner.run(connection["id"])
    [(_, why)] = await told()
    await operator.revoke_all()
    await sweep()
    assert await told() == [(connection["id"], why)]
    [found] = await stored()
    assert found.sealed_tokens is None


async def test_other_providers_and_later_grants_are_left_alone(user, stranger, operator, sweep, stored, resources):
    first = await user.connect()
    async with resources.sessions.begin() as session:
        await session.execute(update(Connection).values(provider="elsewhere"))
    assert await operator.revoke_all() == 0
    later = await stranger.connect()
    await sweep()
    assert {each.status for each in await stored(first["id"], later["id"])} == {"active"}


async def test_a_provider_that_is_no_longer_offered_can_be_revoked_too(user, operator, sweep, stored, resources):
    await user.connect()
    async with resources.sessions.begin() as session:
        await session.execute(update(Connection).values(provider="elsewhere"))
    assert await operator.revoke_all("elsewhere") == 1
    await sweep()
    assert {(each.status, each.sealed_tokens) for each in await stored()} == {("needs_reauth", None)}
    assert await count(resources, TokenAudit, TokenAudit.action == "tokens_destroyed") == 1


async def test_who_ended_access_and_why_is_in_the_audit(user, operator, sweep, resources):
    connection = await user.connect()
    await operator.revoke_all()
    await sweep()
    async with resources.sessions() as session:
        killed = select(TokenAudit.entry).where(TokenAudit.action == "tokens_killed")
        entry = await session.scalar(killed)
        state = await session.get_one(ProviderState, "sandbox")
    assert (entry["actor_id"], entry["subject_id"]) == (str(operator.id), connection["id"])
    assert (state.token_version, state.revoked_by) == (1, operator.id)


async def test_a_connection_that_somebody_holds_is_swept_later(user, stranger, operator, resources, stored):
    held, free = await user.connect(), await stranger.connect()
    await operator.revoke_all()
    sweeper = DeadTokenSweep(resources)
    async with resources.sessions.begin() as session:
        await session.get(Connection, held["id"], with_for_update=True)
        assert await sweeper.sweep() == 1
    assert await sweeper.sweep() == 1
    assert {each.status for each in await stored(held["id"], free["id"])} == {"needs_reauth"}


async def test_sweeping_ends_when_nothing_can_come_any_more(user, operator, resources, stored):
    await operator.revoke_all()
    sweeper = DeadTokenSweep(resources)
    await sweeper.sweep()
    async with resources.sessions.begin() as session:
        await session.execute(update(ProviderState).values(revoked_at=now() - timedelta(hours=1)))
    await user.connect()
    await _age_tokens(resources)
    assert await sweeper.sweep() == 1, "it looks until it has found nothing"
    await sweeper.sweep()
    await _age_tokens(resources)
    assert await sweeper.sweep() == 0
    await operator.revoke_all()
    assert await sweeper.sweep() == 0, "nothing holds tokens"


async def _age_tokens(resources) -> None:
    """As a callback would leave them that began before all access was ended."""
    async with resources.sessions.begin() as session:
        await session.execute(text("UPDATE connections SET provider_version = 0"))


async def test_one_connection_can_be_revoked(user, stranger, operator, stored, told, resources):
    connection, other = await user.connect(), await stranger.connect()
    path = f"/connections/{connection['id']}/revoke"
    for _ in range(2):
        assert (await operator.post(path, {"reason": "Stolen laptop."})).status_code == 204
    assert {each.status for each in await stored(connection["id"])} == {"needs_reauth"}
    assert {each.status for each in await stored(other["id"])} == {"active"}
    assert await told() == [(connection["id"], REVOKED)]
    async with resources.sessions() as session:
        entry = await session.scalar(select(TokenAudit.entry).where(TokenAudit.action == "tokens_killed"))
    assert (entry["actor_id"], entry["detail"]["reason"]) == (str(operator.id), "Stolen laptop.")
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    assert (await user.callback(await user.consent(again["authorization_url"]))).json()["status"] == "active"
