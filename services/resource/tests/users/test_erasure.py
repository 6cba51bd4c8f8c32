"""A deleted user: nothing is left, nothing comes back, auth is told."""

from uuid import UUID

import pytest
from sqlalchemy import func, select

from grove.contracts.auth import UserDeleted, UserRegistered, UserUpdated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove.outbox.postgres import OutboxRow
from grove.service.housekeeping import Housekeeping
from grove.service.idempotency_keys import IdempotencyKeyRow
from grove.testing.erasure import missed
from grove_resource.consumers import handlers
from grove_resource.models import Base, ErasedUser, Task, User
from grove_resource.users.erasure import ERASURE

pytestmark = pytest.mark.integration
ADA, BOB = new_id(), new_id()


def registered(user_id: UUID) -> UserRegistered:
    return UserRegistered(
        user_id=user_id,
        email="a@example.com",
        name="Ada",
        locale="en",
        timezone="UTC",
        roles=["user"],
        registered_at=now(),
    )


@pytest.fixture
def happen(resources):
    async def happen(data, sequence: int) -> None:
        work = handlers(resources).parse(outbox_event("auth", data, sequence=sequence).body)
        assert await resources.inbox.apply([work]) == [work]

    return happen


@pytest.fixture
def left(resources):
    """How many rows of each table name the user."""

    async def left(user_id: UUID) -> list[int]:
        async with resources.sessions() as session:
            return [
                await session.scalar(select(func.count()).where(column == user_id))
                for column in (User.id, Task.user_id, IdempotencyKeyRow.user_id, ErasedUser.user_id)
            ]

    return left


@pytest.fixture
def create(client, issuer):
    async def create(user_id: UUID) -> dict:
        headers = issuer.headers(user_id) | {"Idempotency-Key": str(new_id())}
        answer = await client.post("/api/v1/tasks", json={"title": "Plant"}, headers=headers)
        assert answer.status_code == 201
        return answer.json()

    return create


def test_no_table_is_missed():
    assert missed(Base.metadata, ERASURE) == set()


async def test_a_deleted_user_leaves_a_tombstone_only_and_others_stay(resources, happen, left, create):
    for user in (ADA, BOB):
        await happen(registered(user), 1)
        await create(user)
    await happen(UserDeleted(user_id=ADA, deleted_at=now()), 4)
    assert await left(ADA) == [0, 0, 0, 1]
    assert await left(BOB) == [1, 1, 1, 0]
    async with resources.sessions() as session:
        told = (await session.scalars(select(OutboxRow.type).order_by(OutboxRow.position))).all()
    assert told[-1] == "resource.user.erased.v1"


async def test_late_facts_about_a_deleted_user_are_passed_over(happen, left):
    await happen(UserDeleted(user_id=ADA, deleted_at=now()), 4)
    await happen(registered(ADA), 1)
    await happen(UserUpdated(user_id=ADA, locale="de", timezone="UTC", roles=["user"]), 5)
    assert await left(ADA) == [0, 0, 0, 1]


async def test_what_a_request_under_way_still_wrote_is_swept(resources, happen, left, create):
    await create(BOB)
    await happen(UserDeleted(user_id=ADA, deleted_at=now()), 4)
    await create(ADA)
    assert await left(ADA) == [0, 1, 1, 1]
    await Housekeeping(resources.sessions, ERASURE).clean()
    assert await left(ADA) == [0, 0, 0, 1]
    assert await left(BOB) == [0, 1, 1, 0]
    assert await ERASURE.sweep(resources.sessions) == 0
