"""A deleted user: nothing is left, nothing comes back, tokens are given back, auth is told."""

import asyncio

import pytest
from sqlalchemy import func, select

from grove.contracts.auth import UserDeleted, UserRegistered
from grove.core.clock import now
from grove.outbox.event import outbox_event
from grove.outbox.postgres import OutboxRow
from grove.testing.erasure import missed
from grove_provider_sync.consumers import handlers
from grove_provider_sync.models import Account, Base, Connection, ErasedUser, SyncRun, Transaction, User
from grove_provider_sync.providers.interface import ProviderRefused
from grove_provider_sync.tokens import sealing
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


def test_no_table_is_missed():
    assert missed(Base.metadata, ERASURE) == set()


async def test_a_deleted_user_leaves_a_tombstone_only_and_others_stay(user, stranger, runner, resources, happen, left):
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
    with pytest.raises(ProviderRefused):
        await sandbox.refresh(given)
    async with resources.sessions() as session:
        told = (await session.scalars(select(OutboxRow.type).order_by(OutboxRow.position))).all()
    assert told[-1] == "provider_sync.user.erased.v1"


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


async def test_a_provider_that_is_away_does_not_keep_the_data(user, happen, left, world):
    await user.connect()
    await world.post("/control/faults", json={"path": "/oauth", "status": 503, "times": 100})
    await happen(UserDeleted(user_id=user.id, deleted_at=now()), 4)
    assert await left(user.id) == [0, 0, 0, 0, 0, 1]
