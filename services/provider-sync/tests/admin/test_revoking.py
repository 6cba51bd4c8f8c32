"""The end of all access to a provider: dead at once, whatever was under way, and everybody is told once."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from grove.core.clock import now
from grove_provider_sync.admin.sweeping import DeadTokenSweep
from grove_provider_sync.models import Connection, ProviderState, TokenAudit, TokenRevocation

pytestmark = pytest.mark.integration

REVOKED = "revoked_by_operator"


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


async def test_a_provider_that_is_no_longer_offered_can_be_revoked_too(user, operator, sweep, stored, resources, count):
    await user.connect()
    async with resources.sessions.begin() as session:
        await session.execute(update(Connection).values(provider="elsewhere"))
    assert await operator.revoke_all("elsewhere") == 1
    await sweep()
    assert {(each.status, each.sealed_tokens) for each in await stored()} == {("needs_reauth", None)}
    assert await count(TokenRevocation) == 1, "a worker where it is offered gives them back; others destroy them"


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
