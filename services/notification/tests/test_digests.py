"""Digests: each item is in one mail, whatever happens at the same time."""

import asyncio
import json
from datetime import time, timedelta

import pytest
from sqlalchemy import func, select, update

from grove.contracts.auth import UserDeleted
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove_notification.digests import mailing, opening
from grove_notification.digests.mailing import DigestMailing
from grove_notification.models import Digest, DigestItem, Mail, Preferences, User

pytestmark = pytest.mark.integration

PATIENCE = 60


@pytest.fixture
def user(resources):
    async def user(email: str | None = "ada@example.com", locale: str = "en"):
        user_id = new_id()
        fields = {"email": email, "locale": locale, "timezone": "UTC", "sequence": 1}
        async with resources.sessions.begin() as session:
            session.add(User(id=user_id, email_sequence=0, updated_at=now(), **fields))
        return user_id

    return user


@pytest.fixture
def tell(resources):
    """Collects an item in a transaction of its own, as a fact's handler does."""

    async def tell(user_id, *titles: str, after=timedelta(0), link=None) -> None:
        async with resources.sessions.begin() as session:
            for title in titles:
                moment = now()
                item = opening.Item(
                    user_id, "mail", "TASK_SHARED", title, f"about {title}", link, moment, moment + after
                )
                opening.collect(session, item)
            await opening.write(session)

    return tell


@pytest.fixture
def digests(resources) -> DigestMailing:
    return DigestMailing(resources.sessions, resources.mail_queue)


async def count(resources, model) -> int:
    async with resources.sessions() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


async def letters(resources) -> list[dict]:
    """What the queued mails say."""
    async with resources.sessions() as session:
        mails = (await session.scalars(select(Mail).order_by(Mail.created_at, Mail.id))).all()
    opened = [resources.mail_cipher.open(mail.sealed, purpose=f"mail:{mail.id}") for mail in mails]
    return [json.loads(content) | {"row": mail} for content, mail in zip(opened, mails, strict=True)]


def titles(letter: dict) -> list[str]:
    return [item["title"] for item in letter["variables"]["items"]]


async def test_a_due_digest_becomes_one_mail_and_is_gone(resources, user, tell, digests):
    ada = await user(locale="de")
    await tell(ada, "first", "second", link="/api/v1/tasks/1")
    await tell(ada, "third")
    await tell(await user(), "later", after=timedelta(hours=1))
    assert await digests.mail_one()
    assert not await digests.mail_one()
    [letter] = await letters(resources)
    assert titles(letter) == ["first", "second", "third"]
    assert letter["variables"]["items"][0] == {
        "type": "TASK_SHARED",
        "title": "first",
        "message": "about first",
        "link": "/api/v1/tasks/1",
    }
    assert letter["variables"]["more"] == 0
    row = letter["row"]
    assert (row.masked, "to" in letter) == ("a•••@example.com", False), "it goes where the account is when it is sent"
    assert (row.kind, row.template, row.user_id, row.locale) == ("digest", "digest", ada, "de")
    assert row.notification_type is None
    assert (await count(resources, Digest), await count(resources, DigestItem)) == (1, 1), "the one of later"


async def test_a_long_digest_shows_the_first_and_says_how_many_more(resources, user, tell, digests):
    await tell(await user(), *(f"item {i:02}" for i in range(63)))
    await digests.mail_one()
    [letter] = await letters(resources)
    assert titles(letter) == [f"item {i:02}" for i in range(50)]
    assert letter["variables"]["more"] == 13


async def test_facts_at_once_join_one_digest(resources, user, tell, digests):
    ada = await user()
    await asyncio.gather(*(tell(ada, f"{i:02}") for i in range(50)))
    assert await count(resources, Digest) == 1
    await digests.mail_one()
    [letter] = await letters(resources)
    assert sorted(titles(letter)) == [f"{i:02}" for i in range(50)]


async def test_nothing_is_lost_or_told_twice_while_digests_are_mailed(resources, user, tell):
    """50 facts for each of two users, and two workers that mail whatever is due at every moment."""
    users = [await user("ada@example.com"), await user("bob@example.com")]
    workers = [DigestMailing(resources.sessions, resources.mail_queue) for _ in range(2)]

    async def mail(worker: DigestMailing) -> None:
        while True:
            if not await worker.mail_one():
                await asyncio.sleep(0)

    async def facts(i: int) -> None:
        await asyncio.sleep(i * 0.01)
        await asyncio.gather(*(tell(each, f"{each}:{i}") for each in users))

    mailing = [asyncio.create_task(mail(worker)) for worker in workers]
    async with asyncio.timeout(PATIENCE):
        for some in (range(25), range(25, 50)):
            await asyncio.gather(*(facts(i) for i in some))
            while await count(resources, Digest):
                await asyncio.sleep(0.02)
    await end(*mailing)
    sent = await letters(resources)
    assert len(sent) > 2, "it was mailed in between"
    told = [title for letter in sent for title in titles(letter)]
    assert sorted(told) == sorted(f"{each}:{i}" for each in users for i in range(50))
    for letter in sent:
        assert {title.split(":")[0] for title in titles(letter)} == {str(letter["row"].user_id)}
    assert await count(resources, DigestItem) == 0


async def test_who_comes_while_a_digest_is_mailed_opens_the_next(resources, user, tell, digests, monkeypatch):
    ada = await user()
    await tell(ada, "first")
    written, joined = asyncio.Event(), asyncio.Event()
    add = resources.mail_queue.add

    async def slow(session, letter) -> None:
        await add(session, letter)
        written.set()
        await joined.wait()

    monkeypatch.setattr(resources.mail_queue, "add", slow)
    async with asyncio.timeout(PATIENCE):
        mailing = asyncio.create_task(digests.mail_one())
        await written.wait()
        joining = asyncio.create_task(tell(ada, "second"))
        while not await waits_for_a_lock(resources):
            await asyncio.sleep(0.02)
        joined.set()
        await asyncio.gather(mailing, joining)
    assert [titles(letter) for letter in await letters(resources)] == [["first"]]
    await digests.mail_one()
    assert [titles(letter) for letter in await letters(resources)] == [["first"], ["second"]]


async def waits_for_a_lock(resources) -> bool:
    from sqlalchemy import text

    async with resources.sessions() as session:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%digests%'"
        return bool(await session.scalar(text(waiting)))


async def test_a_digest_that_somebody_joins_is_passed_over(resources, user, tell, digests):
    ada = await user()
    await tell(ada, "first")
    async with resources.sessions.begin() as session:
        opening.collect(session, opening.Item(ada, "mail", "TASK_SHARED", "second", "m", None, now(), now()))
        await opening.write(session)
        assert not await digests.mail_one()
    assert await digests.mail_one()
    [letter] = await letters(resources)
    assert titles(letter) == ["first", "second"]


async def test_a_worker_that_dies_leaves_the_digest_as_it_was(resources, user, tell, digests, monkeypatch):
    ada = await user()
    await tell(ada, "first")

    async def dies(*_) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(resources.mail_queue, "add", dies)
        with pytest.raises(ConnectionResetError):
            await digests.mail_one()
    assert await count(resources, Mail) == 0
    await digests.mail_one()
    assert [titles(letter) for letter in await letters(resources)] == [["first"]]


async def test_who_is_gone_gets_none_and_who_has_no_address_yet_gets_it_later(resources, user, tell, digests, happen):
    early = [await user(None), new_id()]
    for each in early:
        await tell(each, "early")
    gone = await user()
    await tell(gone, "gone")
    await happen("auth", UserDeleted(user_id=gone, deleted_at=now()))
    async with resources.sessions.begin() as session:  # slipped in beside the deletion
        opening.collect(session, opening.Item(gone, "mail", "TASK_SHARED", "late", "m", None, now(), now()))
        await opening.write(session)
    while await digests.mail_one():
        pass
    waiting = [letter["row"] for letter in await letters(resources)]
    assert {row.user_id for row in waiting} == set(early)
    assert {(row.masked, row.address_mac) for row in waiting} == {(None, None)}
    assert await count(resources, Digest) == 0


async def test_an_item_of_a_type_that_was_switched_off_meanwhile_is_not_told(resources, user, tell, digests):
    """It was told by the choice of before, and committed after the new one."""
    ada = await user()
    await tell(ada, "unwanted")
    async with resources.sessions.begin() as session:
        chosen = {"digest": "hourly", "digest_at": time(8), "version": 1, "updated_at": now()}
        session.add(Preferences(user_id=ada, types={"TASK_SHARED": {"email": False}}, **chosen))
    assert await digests.mail_one()
    assert (await count(resources, Mail), await count(resources, Digest)) == (0, 0)


async def test_erasure_and_mailing_do_not_wait_for_each_other_in_a_circle(
    resources, user, tell, digests, happen, monkeypatch
):
    ada = await user()
    await tell(ada, "first")
    letter, made, erasing = mailing._letter, asyncio.Event(), asyncio.Event()

    async def slow(session, digest):
        found = await letter(session, digest)
        made.set()
        await erasing.wait()
        return found

    monkeypatch.setattr(mailing, "_letter", slow)
    async with asyncio.timeout(PATIENCE):
        mail = asyncio.create_task(digests.mail_one())
        await made.wait()
        erase = asyncio.create_task(happen("auth", UserDeleted(user_id=ada, deleted_at=now())))
        while not await waits_for_a_lock(resources):
            await asyncio.sleep(0.02)
        erasing.set()
        assert await mail
        assert await erase
    assert [await count(resources, model) for model in (User, Digest, DigestItem, Mail)] == [0, 0, 0, 0]


async def test_the_job_mails_what_becomes_due(resources, user, tell, digests, monkeypatch):
    monkeypatch.setattr(mailing, "LOOK_SECONDS", 0.05)
    await tell(await user(), "first", after=timedelta(hours=1))
    running = asyncio.create_task(digests.run())
    async with asyncio.timeout(PATIENCE):
        await asyncio.sleep(0.3)
        assert await count(resources, Mail) == 0
        async with resources.sessions.begin() as session:
            await session.execute(update(Digest).values(due_at=now()))
        while not await count(resources, Mail):
            await asyncio.sleep(0.02)
    await end(running)
    assert resources.mail_queue.due.is_set()
