"""Tokens that a provider gives when nothing shall use them any more: its customer took everything back meanwhile."""

import asyncio

import pytest
from sqlalchemy import delete, select, text

from grove.contracts.auth import UserDeleted
from grove.core.clock import now
from grove.outbox.event import outbox_event
from grove.testing.postgres import outbox_types
from grove_provider_sync.connections import events
from grove_provider_sync.connections.cleaning import ConnectionCleaning
from grove_provider_sync.consumers import handlers
from grove_provider_sync.models import Authorization, Connection, TokenAudit, TokenRevocation
from grove_provider_sync.providers.interface import ProviderRefused
from grove_provider_sync.tokens import sealing
from grove_provider_sync.tokens.errors import TokensGone
from grove_provider_sync.tokens.keeper import TokenKeeper
from grove_provider_sync.tokens.revoker import TokenRevoker
from grove_provider_sync.tokens.revoking import purpose_of

pytestmark = pytest.mark.integration
ERASED = "provider_sync.user.erased.v1"


@pytest.fixture
def stored(resources):
    async def stored(model):
        async with resources.sessions() as session:
            return (await session.scalars(select(model))).all()

    return stored


@pytest.fixture
def delete_account(resources):
    async def delete_account(user) -> None:
        fact = UserDeleted(user_id=user.id, deleted_at=now())
        work = handlers(resources).parse(outbox_event("auth", fact, sequence=4).body)
        assert await resources.inbox.apply([work]) == [work]

    return delete_account


@pytest.fixture
def meanwhile(resources, monkeypatch):
    """Has something happen between a provider's answer and the moment when we look at it."""
    provider = resources.providers.get("sandbox")

    def meanwhile(call: str, happen) -> None:
        whole = getattr(provider, call)

        async def answer(*arguments):
            found = await whole(*arguments)
            await happen()
            return found

        monkeypatch.setattr(provider, call, answer)

    return meanwhile


@pytest.fixture
def is_forgotten(resources, stored):
    """Whether the sandbox takes the waiting tokens no more, once they are given back."""

    async def is_forgotten() -> bool:
        [row] = await stored(TokenRevocation)
        tokens = sealing.read(resources.token_cipher.open(row.sealed_tokens, purpose=purpose_of(row.id)))
        sandbox = resources.providers.get("sandbox")
        assert await sandbox.accounts(tokens.access_token)
        await TokenRevoker(resources).revoke_due(sandbox)
        assert await stored(TokenRevocation) == []
        try:
            await sandbox.accounts(tokens.access_token)
        except ProviderRefused:
            return True
        return False

    return is_forgotten


async def finished(user, started):
    return await user.callback(await user.consent(started["authorization_url"]))


async def test_a_callback_under_way_while_the_account_is_deleted(
    user, resources, meanwhile, delete_account, stored, is_forgotten
):
    started = await user.begin()
    meanwhile("exchange", lambda: delete_account(user))
    answer = await finished(user, started)
    assert (answer.status_code, await stored(Connection)) == (410, [])
    assert await is_forgotten()
    assert (await outbox_types(resources.engine)).count(ERASED) == 1


async def test_a_callback_of_a_connection_that_is_written_after_its_account_was_deleted(
    user, resources, delete_account, stored, is_forgotten
):
    await delete_account(user)
    answer = await finished(user, await user.begin())
    assert answer.status_code == 410
    assert [each.sealed_tokens for each in await stored(Connection)] == [None]
    assert await is_forgotten()


@pytest.mark.parametrize("erased", [False, True])
async def test_a_callback_under_way_while_its_user_removes_the_connection(
    user, resources, meanwhile, stored, is_forgotten, erased
):
    async def remove() -> None:
        await user.call("DELETE", f"/connections/{started['id']}")
        if erased:
            await ConnectionCleaning(resources).erase_removed()

    started = await user.begin()
    meanwhile("exchange", remove)
    assert (await finished(user, started)).status_code == 410
    found = [(each.status, each.sealed_tokens) for each in await stored(Connection)]
    assert found == ([] if erased else [("revoked", None)])
    assert await is_forgotten()


async def test_a_callback_that_another_try_overtook(user, resources, meanwhile, stored, is_forgotten):
    async def another() -> None:
        async with resources.sessions.begin() as session:
            await session.execute(delete(Authorization))

    meanwhile("exchange", another)
    assert (await finished(user, await user.begin())).status_code == 410
    assert await is_forgotten()


async def test_of_another_customer_they_are_given_back(user, stored, is_forgotten):
    connection = await user.connect()
    again = (await user.call("POST", f"/connections/{connection['id']}/reauthorize")).json()
    user.customer = f"other-{user.customer}"
    assert (await finished(user, again)).status_code == 409
    assert await is_forgotten()
    assert [each.status for each in await stored(Connection)] == ["active"]


async def test_of_a_customer_who_is_connected_they_are_destroyed_so_that_nothing_else_is_forgotten_with_them(
    user, stored, runner
):
    connection = await user.connect()
    assert (await finished(user, await user.begin())).status_code == 409
    assert await stored(TokenRevocation) == []
    audited = [(entry.action, entry.entry["detail"].get("reason")) for entry in await stored(TokenAudit)]
    assert audited[-1] == ("tokens_destroyed", "another grant is for the same")
    await runner.run(connection["id"])
    assert (await user.call("GET", f"/connections/{connection['id']}")).json()["status"] == "active"


async def test_a_refresh_under_way_while_the_account_is_deleted(
    user, settings, resources, meanwhile, delete_account, stored
):
    connection = await user.connect()
    async with resources.sessions.begin() as session:
        found = await session.get(Connection, connection["id"])
        tokens = sealing.stored(resources.token_cipher, found)
        ended = type(tokens)(tokens.access_token, tokens.refresh_token, now())
        sealing.store(resources.token_cipher, found, ended)
    meanwhile("refresh", lambda: delete_account(user))
    with pytest.raises(TokensGone):
        await TokenKeeper(resources).tokens(connection["id"])
    assert await stored(Connection) == []
    old, fresh = await stored(TokenRevocation)
    assert (old.erases, fresh.erases) == (True, True)
    await TokenRevoker(resources).revoke_due(resources.providers.get("sandbox"))
    assert await stored(TokenRevocation) == []
    assert (await outbox_types(resources.engine)).count(ERASED) == 1


async def test_an_account_that_is_deleted_while_its_callback_is_written_takes_the_tokens_with_it(
    user, resources, delete_account, stored, monkeypatch
):
    """The callback has the connection's lock: the deletion waits for it, and finds the tokens."""
    whole, deleting = events.tell, []

    async def while_deleted(session, connection, fact) -> None:
        monkeypatch.setattr(events, "tell", whole)
        deleting.append(asyncio.create_task(delete_account(user)))
        async with resources.engine.connect() as other, asyncio.timeout(10):
            while not await other.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                await asyncio.sleep(0.02)
        await whole(session, connection, fact)

    monkeypatch.setattr(events, "tell", while_deleted)
    assert (await finished(user, await user.begin())).status_code == 200
    await deleting[0]
    assert await stored(Connection) == []
    assert [row.erases for row in await stored(TokenRevocation)] == [True]
