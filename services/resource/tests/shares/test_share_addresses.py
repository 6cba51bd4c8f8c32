"""Shares that wait for an address: who verifies it gets them, whatever comes first, and is told once."""

import asyncio

import pytest
from sqlalchemy import text

from grove.contracts.auth import UserRegistered
from grove.core.clock import now
from grove.outbox.event import outbox_event
from grove_resource.consumers import handlers

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"


def whom(facts) -> list[str]:
    return [fact["data"]["with_user_id"] for fact in facts]


async def test_who_registers_gets_all_that_waited(ada, bob, make, share, sees, told, stranger, auth):
    cyd, tasks = stranger(), [await make(ada), await make(bob), await make(ada)]
    for task, owner, role in zip(tasks, (ada, bob, ada), ("viewer", "editor", "viewer"), strict=True):
        await share(owner, task, cyd.email, role)
    await share(ada, tasks[0], "another@example.com")
    assert await told() == []
    await auth.registered(cyd)
    for task in tasks:
        assert await sees(cyd, task)
    facts = await told()
    assert whom(facts) == [str(cyd.id)] * 3
    assert {(fact["data"]["task_id"], fact["data"]["user_id"], fact["data"]["role"]) for fact in facts} == {
        (tasks[0]["id"], str(ada.id), "viewer"),
        (tasks[1]["id"], str(bob.id), "editor"),
        (tasks[2]["id"], str(ada.id), "viewer"),
    }
    assert {fact["sequence"] for fact in facts} == {2}


async def test_a_new_address_gets_what_waited_for_it_and_keeps_the_rest(ada, bob, make, share, sees, told, auth):
    old, new = await make(ada), await make(ada)
    await share(ada, old, bob.email)
    await share(ada, new, "new@example.com")
    await auth.moved(bob, "new@example.com", sequence=2)
    assert [await sees(bob, task) for task in (old, new)] == [True, True]
    assert len(await told()) == 2


async def test_a_late_older_fact_binds_nothing(ada, make, share, told, stranger, auth, sees):
    cyd, task = stranger("first@example.com"), await make(ada)
    for email in ("first@example.com", "second@example.com", "third@example.com"):
        await share(ada, task, email)
    await auth.moved(cyd, "third@example.com", sequence=5)
    await auth.registered(cyd, sequence=1)
    await auth.moved(cyd, "second@example.com", sequence=3)
    [fact] = await told()
    assert whom([fact]) == [str(cyd.id)]
    assert await sees(cyd, task)
    dan = stranger("second@example.com")
    await auth.registered(dan)
    assert whom(await told()) == [str(cyd.id), str(dan.id)]


@pytest.mark.parametrize("leaving", ["moved", "deleted"])
async def test_an_address_that_two_have_is_nobodys_until_one_gave_it_up(
    ada, bob, make, share, sees, told, stranger, auth, leaving
):
    """auth gives an address to one user at a time, so the fact by which the other lost it is under way."""
    task, successor = await make(ada), stranger(bob.email)
    await auth.registered(successor)
    await share(ada, task, bob.email)
    assert not await sees(bob, task)
    assert not await sees(successor, task)
    if leaving == "moved":
        await auth.moved(bob, "elsewhere@example.com", sequence=2)
    else:
        await auth.deleted(bob)
    assert await sees(successor, task)
    assert not await sees(bob, task)
    assert whom(await told()) == [str(successor.id)]


async def test_an_address_that_becomes_the_owners_own_is_no_share(ada, make, share, shares_of, told, auth):
    task = await make(ada)
    await share(ada, task, "new@example.com", "editor")
    await auth.moved(ada, "new@example.com", sequence=2)
    assert await shares_of(ada, task) == []
    assert await told() == []


@pytest.mark.parametrize("first", ["share", "move"])
async def test_who_is_meant_by_two_addresses_has_the_present_one(
    client, ada, bob, make, share, shares_of, sees, told, auth, stranger, first
):
    """The list shows both all the same: it would tell that they are one person's."""
    task, old = await make(ada), bob.email
    await share(ada, task, old, "viewer")
    if first == "share":
        await share(ada, task, "new@example.com", "editor")
    await auth.moved(bob, "new@example.com", sequence=2)
    if first == "move":
        await share(ada, task, "new@example.com", "editor")
    shares = await shares_of(ada, task)
    assert [(item["email"], item["role"]) for item in shares] == [(old, "viewer"), ("new@example.com", "editor")]
    read = await client.get(f"{TASKS}/{task['id']}", headers=bob.headers)
    assert read.json()["role"] == "editor"
    assert whom(await told()) == [str(bob.id)] * 2
    assert (await client.delete(f"{TASKS}/{task['id']}/shares/{shares[1]['id']}", headers=ada.headers)).is_success
    assert not await sees(bob, task)
    heir = stranger(old)
    await auth.registered(heir)
    assert await sees(heir, task)


async def test_a_deleted_participant_or_owner_leaves_no_share(ada, bob, make, share, told, auth, stranger, resources):
    cyd, mine, theirs = stranger(), await make(ada), await make(bob)
    for person in (bob, cyd):
        await share(ada, mine, person.email)
    await share(bob, theirs, ada.email)
    await auth.deleted(bob)
    async with resources.engine.connect() as connection:
        left = (await connection.execute(text("SELECT email FROM shares"))).scalars().all()
    assert left == [cyd.email]
    await auth.deleted(cyd)
    await auth.registered(cyd)
    assert whom(await told()) == [str(bob.id), str(ada.id)]


async def test_a_share_while_its_user_registers_is_bound_and_told_once(
    ada, make, share, told, stranger, auth, shares_of, sees
):
    for _ in range(15):
        cyd, tasks = stranger(), [await make(ada) for _ in range(2)]
        before = len(await told())
        await asyncio.gather(
            share(ada, tasks[0], cyd.email), auth.registered(cyd), share(ada, tasks[1], cyd.email, "editor")
        )
        assert [await sees(cyd, task) for task in tasks] == [True, True]
        facts = (await told())[before:]
        assert sorted(fact["data"]["task_id"] for fact in facts) == sorted(task["id"] for task in tasks)
        assert whom(facts) == [str(cyd.id)] * 2


async def test_a_share_waits_for_the_fact_that_is_being_applied(ada, make, share, told, stranger, resources, sees):
    cyd, task = stranger(), await make(ada)
    fact = UserRegistered(
        user_id=cyd.id, email=cyd.email, name="C", locale="en", timezone="UTC", roles=["user"], registered_at=now()
    )
    work = handlers(resources).parse(outbox_event("auth", fact, sequence=1).body)
    async with resources.sessions.begin() as session:
        await work.apply(session)
        sharing = asyncio.create_task(share(ada, task, cyd.email))
        await asyncio.sleep(0.3)
        assert not sharing.done()
    await sharing
    assert await sees(cyd, task)
    assert len(await told()) == 1


async def test_a_fact_waits_for_the_share_that_is_being_made(ada, make, share, told, stranger, resources, auth, sees):
    cyd, task = stranger(), await make(ada)
    async with resources.engine.connect() as other:
        blocked = await other.begin()
        await other.execute(text("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"))
        sharing = asyncio.create_task(share(ada, task, cyd.email))
        await asyncio.sleep(0.3)
        registering = asyncio.create_task(auth.registered(cyd))
        await asyncio.sleep(0.3)
        assert not sharing.done()
        assert not registering.done()
        await blocked.rollback()
    await asyncio.gather(sharing, registering)
    assert await sees(cyd, task)
    assert len(await told()) == 1
