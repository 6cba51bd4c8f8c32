"""Tokens that last: rotated as providers do it, refused once, and closed to whatever does not fit."""

import asyncio
import json

import pytest
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from grove.core.clock import now
from grove.core.errors import UpstreamTimeout
from grove.core.tasks import end
from grove.outbox.postgres import OutboxRow
from grove.security.encryption import FieldCipher, new_key
from grove.security.envelopes import EnvelopeCipher
from grove_provider_sync.models import Connection, SyncRun, TokenAudit, TokenRevocation
from grove_provider_sync.providers.interface import ProviderRefused, Tokens
from grove_provider_sync.sync.jobs import JobConsumer, Scheduler
from grove_provider_sync.sync.runner import SyncRunner
from grove_provider_sync.tokens import audit, sealing
from grove_provider_sync.tokens import keeper as keeper_module
from grove_provider_sync.tokens.errors import TokensGone
from grove_provider_sync.tokens.keeper import TokenKeeper

pytestmark = pytest.mark.integration


@pytest.fixture
def keeper(resources) -> TokenKeeper:
    return TokenKeeper(resources)


@pytest.fixture
def needs_its_user(user, stored, resources):
    """Asserts that the user is asked to reconnect, and that the run failed for that reason."""

    async def needs_its_user(connection: dict, code: str) -> None:
        found = (await user.call("GET", f"/connections/{connection['id']}")).json()
        assert (found["status"], "Reconnect" in found["status_detail"]) == ("needs_reauth", True)
        assert [(run.status, run.error_code) for run in await stored(SyncRun)] == [("failed", code)]
        async with resources.sessions() as session:
            told = select(OutboxRow.body).where(OutboxRow.type == "provider_sync.connection.needs_reauth.v1")
            facts = [json.loads(body)["data"]["reason_code"] for body in await session.scalars(told)]
        assert facts == [code]
        refused = [entry for entry in await stored(TokenAudit) if entry.action == "tokens_refused"]
        assert [entry.entry["detail"]["reason"] for entry in refused] == [code]

    return needs_its_user


@pytest.mark.parametrize("rotation", ["new", "none", "same"])
async def test_each_way_of_rotating_is_stored_logged_and_audited(
    expired, held, keeper, rotate, stored, refreshes, resources, rotation
):
    connection = await expired()
    before = await held(connection)
    await rotate(rotation)
    with capture_logs() as logs:
        tokens = await keeper.tokens(connection["id"])
    assert tokens == await held(connection)
    assert tokens.access_token != before.access_token
    assert (tokens.refresh_token != before.refresh_token) == (rotation == "new")
    assert [each["rotation_type"] for each in logs if each["event"] == "provider.token_rotated"] == [rotation]
    [entry] = [entry for entry in await stored(TokenAudit) if entry.action == "token_rotated"]
    assert entry.entry["detail"]["rotation_type"] == rotation
    assert await keeper.tokens(connection["id"]) == tokens
    again = await keeper.tokens(connection["id"], refused=tokens.access_token)
    assert again.access_token not in {before.access_token, tokens.access_token}
    assert await refreshes() == 2


async def test_a_refused_refresh_asks_for_the_user_after_one_call(
    expired, runner, user, world, refreshes, needs_its_user, stored, keeper
):
    connection = await expired()
    await world.post(f"/control/customers/{user.customer}/revoke")
    await runner.run(connection["id"])
    code = (await stored(SyncRun))[0].error_code
    assert code in {"refused", "withdrawn"}
    await needs_its_user(connection, code)
    for _ in range(3):
        with pytest.raises(ProviderRefused):
            await keeper.tokens(connection["id"])
        await runner.run(connection["id"])
    assert await refreshes() == 1


async def test_a_refresh_token_that_was_used_already_asks_for_the_user_after_one_call(
    expired, runner, resources, held, refreshes, needs_its_user, keeper
):
    """As after a backup was put back, or a theft."""
    connection = await expired()
    spent = await held(connection)
    await keeper.tokens(connection["id"])
    async with resources.sessions.begin() as session:
        found = await session.get(Connection, connection["id"])
        sealing.store(resources.token_cipher, found, spent)
    await runner.run(connection["id"])
    await needs_its_user(connection, "refused")
    await runner.run(connection["id"])
    assert await refreshes() == 2


@pytest.fixture
def tamper(resources, stranger, monkeypatch):
    """Ways in which stored tokens come not to fit."""

    async def replace(connection: dict, sealed: str) -> None:
        async with resources.sessions.begin() as session:
            changed = update(Connection).where(Connection.id == connection["id"])
            await session.execute(changed.values(sealed_tokens=sealed))

    async def sealed(connection: dict) -> str:
        async with resources.sessions() as session:
            return (await session.get(Connection, connection["id"])).sealed_tokens

    async def other_key(connection: dict) -> None:
        ring = new_key("other")
        monkeypatch.setattr(resources, "token_cipher", EnvelopeCipher(FieldCipher(lambda: ring)))

    async def other_key_of_the_same_name(connection: dict) -> None:
        ring = new_key((await sealed(connection)).partition(".")[0])
        monkeypatch.setattr(resources, "token_cipher", EnvelopeCipher(FieldCipher(lambda: ring)))

    async def other_connections(connection: dict) -> None:
        other = await stranger.connect()
        await replace(connection, await sealed(other))
        async with resources.sessions.begin() as session:
            await session.execute(text("DELETE FROM connections WHERE id = :id"), {"id": other["id"]})
        await calm_audit(resources)

    async def older_version(connection: dict) -> None:
        older = await sealed(connection)
        async with resources.sessions.begin() as session:
            found = await session.get(Connection, connection["id"])
            sealing.store(resources.token_cipher, found, sealing.stored(resources.token_cipher, found))
        await replace(connection, older)

    async def changed(connection: dict) -> None:
        value = await sealed(connection)
        await replace(connection, value[:-6] + ("A" if value[-6] != "A" else "B") + value[-5:])

    async def nonsense(connection: dict) -> None:
        await replace(connection, "k1.é")

    ways = (other_key, other_key_of_the_same_name, other_connections, older_version, changed, nonsense)
    return {way.__name__: way for way in ways}


async def calm_audit(resources) -> None:
    async with resources.engine.begin() as connection:
        await connection.execute(text("TRUNCATE token_audit"))


@pytest.mark.parametrize(
    "way",
    ["other_key", "other_key_of_the_same_name", "other_connections", "older_version", "changed", "nonsense"],
)
async def test_what_does_not_fit_is_not_used_and_the_user_reconnects(
    user, resources, tamper, world, needs_its_user, way
):
    connection = await user.connect()
    await tamper[way](connection)
    await world.delete("/control/bank")
    await SyncRunner(resources).run(connection["id"])
    assert (await world.get("/control/bank")).json()["calls"] == {}, "nothing was asked with it"
    await needs_its_user(connection, "unreadable")
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    assert (await user.callback(await user.consent(again["authorization_url"]))).json()["status"] == "active"
    await SyncRunner(resources).run(connection["id"])
    assert len(await user.transactions()) == 120


async def test_what_does_not_fit_is_destroyed_when_its_connection_is_removed(user, resources, tamper, stored):
    connection = await user.connect()
    await tamper["changed"](connection)
    assert (await user.call("DELETE", f"/connections/{connection['id']}")).status_code == 204
    assert await stored(TokenRevocation) == []
    entry = (await stored(TokenAudit))[-1]
    assert (entry.action, entry.entry["detail"]["reason"]) == ("tokens_destroyed", "they could not be read")


async def test_a_store_that_is_away_at_the_answer_is_waited_for(expired, keeper, held, refreshes, monkeypatch):
    """The refresh token of before is spent: what came for it is nowhere else."""
    connection, whole, failed = await expired(), audit.record, []

    async def away(*arguments, **named) -> None:
        if len(failed) < 2:
            failed.append(1)
            raise ConnectionResetError
        await whole(*arguments, **named)

    monkeypatch.setattr(keeper_module, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(audit, "record", away)
    tokens = await keeper.tokens(connection["id"])
    assert tokens == await held(connection)
    assert (len(failed), await refreshes()) == (2, 1)


async def test_an_answer_that_was_stored_without_our_knowing_is_used(expired, keeper, held, stored, monkeypatch):
    """The connection to the database broke at the commit."""
    connection, whole, stored_once = await expired(), TokenKeeper._store, []

    async def broke(self, *arguments) -> Tokens:
        found = await whole(self, *arguments)
        if not stored_once:
            stored_once.append(found)
            raise ConnectionResetError
        return found

    monkeypatch.setattr(keeper_module, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(TokenKeeper, "_store", broke)
    assert await keeper.tokens(connection["id"]) == await held(connection) == stored_once[0]
    assert await stored(TokenRevocation) == []


async def test_whoever_waits_may_go_and_the_answer_is_kept(expired, keeper, held, refreshes, world):
    connection = await expired()
    before = await held(connection)
    await world.post("/control/faults", json={"path": "/oauth/token", "delay_seconds": 0.3})
    waiting = asyncio.create_task(keeper.tokens(connection["id"]))
    async with asyncio.timeout(5):
        while not keeper._refreshing:
            await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.wait(keeper._refreshing)
    assert (await held(connection)).refresh_token != before.refresh_token
    assert await refreshes() == 1


async def test_a_worker_that_ends_waits_for_an_answer_under_way(expired, held, refreshes, world, resources):
    """Else each restart of workers would spend some refresh tokens for nothing."""
    connection = await expired()
    before = await held(connection)
    await world.post("/control/faults", json={"path": "/oauth/token", "delay_seconds": 0.5})
    scheduler = Scheduler(resources)
    jobs = JobConsumer(resources, scheduler)
    keeper = jobs._runner._keeper
    tasks = [asyncio.create_task(work.run()) for work in (jobs, scheduler)]
    async with asyncio.timeout(20):
        while not keeper._refreshing:
            await asyncio.sleep(0.01)
    await end(*tasks)
    assert (await held(connection)).refresh_token != before.refresh_token
    assert await refreshes() == 1
    while jobs._in_hand:
        await asyncio.wait(set(jobs._in_hand))


async def test_a_provider_that_does_not_answer_leaves_the_tokens_and_the_turn_to_others(
    expired, keeper, held, world, stored, calm
):
    connection = await expired()
    before = await held(connection)
    await world.post("/control/faults", json={"path": "/oauth/token", "delay_seconds": 3, "status": 503})
    with pytest.raises(UpstreamTimeout):
        await keeper.tokens(connection["id"])
    assert await held(connection) == before
    assert [each.refreshing_until for each in await stored()] == [None]
    await calm()
    assert (await keeper.tokens(connection["id"])).expires_at > now()


@pytest.mark.parametrize("reconnected", [False, True])
async def test_an_answer_that_comes_after_the_tokens_were_taken_away_is_not_used(
    expired, keeper, resources, user, stored, monkeypatch, reconnected
):
    """Given back then; destroyed where the user has connected anew, since a provider may forget both grants as one."""
    connection = await expired()
    provider = resources.providers.get("sandbox")
    whole = provider.refresh

    async def overtaken(tokens: Tokens) -> Tokens:
        fresh = await whole(tokens)
        monkeypatch.setattr(provider, "refresh", whole)
        if reconnected:
            again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
            await user.callback(await user.consent(again["authorization_url"]))
        else:
            await user.call("DELETE", f"/connections/{connection['id']}")
        return fresh

    monkeypatch.setattr(provider, "refresh", overtaken)
    with pytest.raises(TokensGone):
        await keeper.tokens(connection["id"])
    waiting = await stored(TokenRevocation)
    assert len(waiting) == (0 if reconnected else 2)
    if reconnected:
        assert (await stored(TokenAudit))[-1].action == "tokens_destroyed"
        assert (await keeper.tokens(connection["id"])).expires_at > now()
