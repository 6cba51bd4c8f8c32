"""A deleted user: nothing is left, nothing comes back, tokens are given back, auth is told."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from grove.contracts.auth import UserDeleted, UserRegistered
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove.testing.erasure import missed
from grove.testing.postgres import outbox_types
from grove_provider_sync.consumers import handlers
from grove_provider_sync.models import (
    Account,
    Base,
    Connection,
    ErasedUser,
    SyncRun,
    TokenAudit,
    TokenRevocation,
    Transaction,
    User,
)
from grove_provider_sync.providers.interface import ProviderRefused, Tokens
from grove_provider_sync.tokens import revoker as revoker_module
from grove_provider_sync.tokens import sealing
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.revoker import TokenRevoker
from grove_provider_sync.tokens.revoking import end, queue
from grove_provider_sync.users.erasure import ERASURE

pytestmark = pytest.mark.integration


@pytest.fixture
def happen(resources):
    async def happen(data, sequence: int) -> None:
        work = handlers(resources).parse(outbox_event("auth", data, sequence=sequence).body)
        assert await resources.inbox.apply([work]) == [work]
        await work.committed()

    return happen


@pytest.fixture
def left(resources):
    """How many rows of each table name the user."""

    async def left(user_id) -> list[int]:
        columns = (User.id, Connection.user_id, Account.user_id, Transaction.user_id, SyncRun.user_id)
        async with resources.sessions() as session:
            return [
                await session.scalar(select(func.count()).where(column == user_id))
                for column in (*columns, ErasedUser.user_id)
            ]

    return left


async def ends(resources, revocation_id) -> None:
    async with resources.sessions.begin() as session:
        await end(session, revocation_id)


async def blocked(resources) -> None:
    """Returns once somebody waits for a lock."""
    async with resources.engine.connect() as connection, asyncio.timeout(10):
        while not await connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            await asyncio.sleep(0.02)


@pytest.fixture
def told(resources):
    """How often auth was told that a user is erased."""

    async def told() -> int:
        return (await outbox_types(resources.engine)).count("provider_sync.user.erased.v1")

    return told


def test_no_table_is_missed_but_tokens_that_wait_for_a_day_at_most():
    assert missed(Base.metadata, ERASURE) == {TokenRevocation.__tablename__}


def test_the_audit_of_tokens_has_no_column_for_a_person():
    assert {column.name for column in TokenAudit.__table__.columns if "user" in column.name} == set()


async def test_a_deleted_user_leaves_a_tombstone_only_and_others_stay(
    user, stranger, runner, resources, happen, left, told
):
    for person in (user, stranger):
        await runner.run((await person.connect())["id"])
    others = await left(stranger.id)
    async with resources.sessions() as session:
        connection = await session.scalar(select(Connection).where(Connection.user_id == user.id))
    given = sealing.stored(resources.token_cipher, connection)
    sandbox = resources.providers.get("sandbox")
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    assert await left(user.id) == [0, 0, 0, 0, 0, 1]
    assert await left(stranger.id) == others
    assert await told() == 0, "the provider still knows the tokens"
    assert await TokenRevoker(resources).revoke_due(sandbox) == 1
    with pytest.raises(ProviderRefused):
        await sandbox.refresh(given)
    assert await told() == 1


async def test_without_tokens_auth_is_told_at_once(user, happen, told):
    await user.begin()
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    assert await told() == 1


async def test_auth_is_told_with_the_last_of_many_tokens_whoever_gives_it_back(user, resources, happen, told):
    """Also of tokens that waited before the account was deleted; by two workers that end the last two at one time."""
    await user.call("DELETE", f"/connections/{(await user.connect())['id']}")
    await user.connect()
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    async with resources.sessions() as session:
        first, last = (await session.scalars(select(TokenRevocation.id))).all()
    async with resources.sessions.begin() as one:
        await end(one, first)
        other = asyncio.create_task(ends(resources, last))
        await blocked(resources)
    await other
    assert await told() == 1


async def test_auth_is_told_once_though_a_worker_dies_before_it_wrote_that_the_provider_knows(
    user, resources, happen, told, monkeypatch
):
    await user.connect()
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    revoker, sandbox = TokenRevoker(resources), resources.providers.get("sandbox")

    async def dies(*_, **__) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as dying:
        dying.setattr(revoker_module, "end", dies)
        with pytest.raises(asyncio.CancelledError):
            await revoker.revoke_due(sandbox)
    assert await told() == 0
    async with resources.sessions.begin() as session:
        await session.execute(update(TokenRevocation).values(next_attempt_at=now()))
    assert await TokenRevoker(resources).revoke_due(sandbox) == 1
    assert await TokenRevoker(resources).revoke_due(sandbox) == 0
    assert await told() == 1


async def test_tokens_that_come_late_are_waited_for_unless_auth_was_told(user, resources, happen, told):
    await user.connect()
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    owner, tokens = Owner(new_id(), user.id, "sandbox"), Tokens("a", "r", None)

    async def come() -> UUID:
        async with resources.sessions.begin() as session:
            before = set(await session.scalars(select(TokenRevocation.id)))
            await queue(session, resources, owner, tokens)
            return (set(await session.scalars(select(TokenRevocation.id))) - before).pop()

    async with resources.sessions() as session:
        first = await session.scalar(select(TokenRevocation.id))
    late = await come()
    await ends(resources, first)
    assert await told() == 0
    await ends(resources, late)
    assert await told() == 1
    await ends(resources, await come())
    assert await told() == 1


async def test_a_run_under_way_ends_without_a_trace(user, runner, resources, happen, left, world):
    connection = await user.connect()
    await world.post("/control/faults", json={"path": "/api/transactions", "delay_seconds": 0.5})
    running = asyncio.create_task(runner.run(connection["id"]))
    async with asyncio.timeout(5):
        while (await left(user.id))[2] == 0:  # its accounts are fetched; its transactions are on their way
            await asyncio.sleep(0.01)
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    await running
    assert await left(user.id) == [0, 0, 0, 0, 0, 1]


async def test_late_facts_about_a_deleted_user_are_passed_over(user, happen, left):
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    registered = UserRegistered(
        user_id=user.id,
        email="a@example.com",
        name="Ada",
        locale="en",
        timezone="UTC",
        roles=["user"],
        registered_at=now(),
    )
    await happen(registered, 1)
    assert (await left(user.id))[0] == 0


async def test_a_provider_that_is_away_does_not_keep_the_data(user, resources, happen, left, world, told):
    await user.connect()
    await world.post("/control/faults", json={"path": "/oauth", "status": 503, "times": 100})
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    assert await left(user.id) == [0, 0, 0, 0, 0, 1]
    revoker, sandbox = TokenRevoker(resources), resources.providers.get("sandbox")
    await revoker.revoke_due(sandbox)
    assert await told() == 0
    async with resources.sessions.begin() as session:
        await session.execute(update(TokenRevocation).values(next_attempt_at=now(), give_up_at=now()))
    await revoker.revoke_due(sandbox)
    assert await told() == 1, "its tokens are destroyed in time"
