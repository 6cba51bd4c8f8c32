"""The fan-out of a fact: by language, channel and time of day, in one transaction."""

import asyncio
import json
from datetime import datetime, time, timedelta

import pytest
from sqlalchemy import delete, event, func, select, update

from grove.contracts.auth import UserRegistered, UserUpdated
from grove.contracts.provider_sync import ConnectionNeedsReauth, ConnectionRecovered
from grove.contracts.resource import TaskCreated, TaskReminderDue, TaskShared
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove.testing.postgres import waiting_for_a_lock
from grove_notification.consumers import handlers
from grove_notification.models import (
    Digest,
    DigestItem,
    ErasedUser,
    LiveFrame,
    LivePosition,
    Mail,
    Notification,
    Preferences,
)
from grove_notification.notifications.release import Release
from grove_notification.notifications.tell import write_collected

pytestmark = pytest.mark.integration
ME = new_id()


def created(user_id=ME, title: str = "Plant", **fields) -> TaskCreated:
    return TaskCreated(task_id=new_id(), user_id=user_id, title=title, created_at=now(), **fields)


def shared(user_id=ME) -> TaskShared:
    return TaskShared(
        share_id=new_id(),
        task_id=new_id(),
        user_id=new_id(),
        with_user_id=user_id,
        title="Plant",
        role="viewer",
        shared_at=now(),
    )


def reminder(user_id=ME) -> TaskReminderDue:
    return TaskReminderDue(reminder_id=new_id(), task_id=new_id(), user_id=user_id, title="Plant", fired_at=now())


def registered(user_id=ME, **fields) -> UserRegistered:
    known = {"email": "ada@example.com", "name": "Ada", "locale": "en", "timezone": "UTC", "greet": False}
    return UserRegistered(user_id=user_id, roles=["user"], registered_at=now(), **known | fields)


@pytest.fixture
def rows(resources):
    """All rows of a table, by user and position or id."""

    async def rows(model, *order):
        async with resources.sessions() as session:
            return (await session.scalars(select(model).order_by(*order))).all()

    return rows


@pytest.fixture
def choose(resources):
    """The user's choice, as if it had been made long ago."""

    async def choose(user_id=ME, **chosen) -> None:
        known = {"types": {}, "digest": "off", "digest_at": time(8), "version": 1, "updated_at": now()}
        async with resources.sessions.begin() as session:
            session.add(Preferences(user_id=user_id, **known | chosen))

    return choose


def around_now() -> dict[str, time]:
    """Quiet hours that it is now, by the clock of UTC."""
    moment = now().replace(second=0, microsecond=0)
    return {
        "quiet_start": (moment - timedelta(hours=1)).time(),
        "quiet_end": (moment + timedelta(hours=1)).time(),
    }


async def test_a_fact_is_told_in_the_users_language(client, issuer, happen):
    await happen("auth", registered(locale="de"))
    await happen("resource", created())
    [item] = (await client.get("/api/v1/notifications", headers=issuer.headers(ME))).json()["items"]
    assert (item["title"], item["message"]) == ("Aufgabe angelegt", "„Plant“ wurde angelegt.")
    assert item["link"].startswith("/api/v1/tasks/")


async def test_a_language_that_changes_in_the_same_transaction_counts(resources, rows):
    """A batch may bring a fact, the account's other language, and another fact."""
    facts = [
        ("auth", registered()),
        ("resource", created()),
        ("auth", UserUpdated(user_id=ME, locale="de", timezone="UTC", roles=["user"])),
        ("resource", created()),
    ]
    parse = handlers(resources).parse
    works = [
        parse(outbox_event(service, fact, sequence=number).body)
        for number, (service, fact) in enumerate(facts, start=1)
    ]
    await resources.inbox.apply(works)
    assert [each.title for each in await rows(Notification, Notification.id)] == ["Task created", "Aufgabe angelegt"]


async def test_a_type_that_is_switched_off_shows_in_open_lists_only(happen, choose, rows):
    await choose(types={"TASK_CREATED": {"in_app": False}})
    await happen("resource", created())
    assert await rows(Notification) == []
    assert [frame.type for frame in await rows(LiveFrame)] == ["task.changed"]


async def test_mail_goes_where_it_is_wanted_and_the_address_is_known(happen, choose, rows, resources):
    await happen("auth", registered())
    await happen("resource", created())
    await happen("resource", shared())
    [mail] = await rows(Mail)
    assert (mail.kind, mail.template, mail.notification_type) == ("notice", "notification", "TASK_SHARED")
    assert mail.subject == "A task is shared with you"
    content = json.loads(resources.mail_cipher.open(mail.sealed, purpose=f"mail:{mail.id}"))
    assert mail.masked == "a•••@example.com"
    assert content["variables"]["message"] == "You can view “Plant”."
    await choose(types={"TASK_SHARED": {"email": False}})
    await happen("resource", shared())
    assert len(await rows(Mail)) == 1


async def test_access_to_a_provider_that_ends_is_mailed(happen, rows, resources):
    await happen("auth", registered())
    connection = {"connection_id": new_id(), "user_id": ME, "provider": "sandbox", "provider_name": "Sandbox Bank"}
    ahead = {"reason_code": "ends_soon", "ends_at": now() + timedelta(days=3), "days_left": 3}
    await happen("provider-sync", ConnectionNeedsReauth(**connection, reason="", since=now(), **ahead))
    await happen("provider-sync", ConnectionRecovered(**connection, recovered_at=now()))
    [mail] = await rows(Mail)
    assert (mail.kind, mail.notification_type) == ("notice", "PROVIDER_NEEDS_REAUTH")
    assert mail.subject == "Sandbox Bank: access ends in 3 days"


async def test_quiet_hours_hold_frames_and_mails_back_and_lose_none(client, issuer, happen, choose, rows, resources):
    await happen("auth", registered())
    await choose(**around_now())
    for title in ("T1", "T2", "T3"):
        await happen("resource", created(title=title))
    await happen("resource", shared())
    listed = await client.get("/api/v1/notifications?sort=created_at", headers=issuer.headers(ME))
    assert (listed.json()["total"], listed.headers["x-unread-count"]) == (4, "4"), "the list is complete at once"
    assert {frame.type for frame in await rows(LiveFrame)} == {"task.changed", "count"}, "only that there are more"
    [mail] = await rows(Mail)
    assert mail.due_at > now()
    release = Release(resources.sessions, resources.push)
    assert await release.release_batch() == 0, "it is quiet still"
    read = listed.json()["items"][1]["id"]
    await client.put(f"/api/v1/notifications/{read}", json={"is_read": True}, headers=issuer.headers(ME))

    answer = await client.get("/api/v1/notification-preferences", headers=issuer.headers(ME))
    wanted = {key: answer.json()[key] for key in ("types", "digest")} | {"quiet_hours": None}
    await client.put("/api/v1/notification-preferences", json=wanted, headers=issuer.headers(ME))
    both = await asyncio.gather(release.release_batch(), Release(resources.sessions, resources.push).release_batch())
    assert sum(both) == 4
    assert await release.release_batch() == 0
    shown = [frame for frame in await rows(LiveFrame, LiveFrame.position) if frame.type == "notification"]
    assert sorted(frame.data["message"] for frame in shown) == [
        "You can view “Plant”.",
        "“T1” was created.",
        "“T3” was created.",
    ], "each once, but what was read meanwhile"
    [mail] = await rows(Mail)
    assert mail.due_at <= now()


async def test_digests_collect_what_is_not_urgent(happen, choose, rows):
    await happen("auth", registered())
    await choose(digest="hourly", types={"TASK_CREATED": {"email": True}})
    for title in ("T1", "T2"):
        await happen("resource", created(title=title))
    await happen("resource", reminder())
    [digest] = await rows(Digest)
    assert now() < digest.due_at <= now() + timedelta(hours=1)
    assert [item.message for item in await rows(DigestItem, DigestItem.id)] == [
        "“T1” was created.",
        "“T2” was created.",
    ]
    [mail] = await rows(Mail)
    assert mail.notification_type == "TASK_REMINDER"


async def test_facts_at_once_join_one_digest(happen, choose, rows):
    await happen("auth", registered())
    await choose(digest="hourly", types={"TASK_CREATED": {"email": True}})
    await asyncio.gather(*(happen("resource", created(title=f"T{number}")) for number in range(50)))
    assert len(await rows(Digest)) == 1
    assert len(await rows(DigestItem)) == 50


async def test_a_mail_that_waits_is_dropped_when_its_type_is_switched_off(client, issuer, happen, choose, rows):
    await happen("auth", registered())
    await choose(**around_now())
    await happen("resource", shared())
    wanted = {
        "types": {"TASK_SHARED": {"in_app": True, "email": False, "webhook": True}},
        "quiet_hours": None,
        "digest": {"frequency": "off"},
    }
    answer = await client.put("/api/v1/notification-preferences", json=wanted, headers=issuer.headers(ME))
    assert answer.status_code == 200
    [mail] = await rows(Mail)
    assert (mail.status, mail.sealed) == ("suppressed", None)


async def test_positions_rise_without_gaps_however_many_write_at_once(resources, rows):
    """Batches that share users in opposite order: none waits in a circle, each number is given once."""
    users = [new_id() for _ in range(5)]
    parse = handlers(resources).parse

    def batch(order):
        return [parse(outbox_event("resource", created(user), sequence=1).body) for user in order]

    batches = [batch(users if number % 2 else users[::-1]) for number in range(20)]
    applied = await asyncio.gather(*(resources.inbox.apply(works) for works in batches))
    assert sum(len(works) for works in applied) == 100
    for user in users:
        async with resources.sessions() as session:
            positions = (
                await session.scalars(
                    select(LiveFrame.position).where(LiveFrame.user_id == user).order_by(LiveFrame.position)
                )
            ).all()
            last = await session.scalar(select(LivePosition.position).where(LivePosition.user_id == user))
        assert positions == list(range(1, 41))
        assert last == 40


async def test_a_batch_that_fails_takes_no_numbers(resources, rows):
    parse = handlers(resources).parse
    good = parse(outbox_event("resource", created(), sequence=1).body)
    broken = parse(outbox_event("resource", created(title="x" * 2000), sequence=1).body)
    with pytest.raises(Exception, match="too long"):
        await resources.inbox.apply([good, broken])
    assert await rows(LivePosition) == []
    await resources.inbox.apply([good])
    assert [frame.position for frame in await rows(LiveFrame, LiveFrame.position)] == [1, 2]


async def test_the_unread_count_is_one_number_under_parallel_marking_and_arriving(client, issuer, happen, resources):
    me = issuer.headers(ME)
    await asyncio.gather(
        *(happen("resource", created(title=f"T{number}")) for number in range(30)),
        *(client.put("/api/v1/notifications/mark-all-read", headers=me) for _ in range(5)),
    )
    count = (await client.get("/api/v1/notifications/unread/count", headers=me)).json()["count"]
    async with resources.sessions() as session:
        unread = await session.scalar(select(func.count(Notification.id)).where(Notification.read_at.is_(None)))
    assert count == unread


async def held_until(rows) -> datetime | None:
    [notification] = [each for each in await rows(Notification) if each.type == "TASK_CREATED"]
    return notification.held_until


async def test_another_time_zone_moves_the_end_of_quiet_hours(happen, choose, rows):
    await happen("auth", registered())
    await choose(**around_now())
    await happen("resource", created())
    assert await held_until(rows) > now()
    await happen("auth", UserUpdated(user_id=ME, locale="en", timezone="Asia/Tokyo", roles=["user"]), sequence=2)
    assert await held_until(rows) <= now(), "it is not quiet there"


async def test_a_new_choice_finds_what_an_old_one_made_wait(resources, client, issuer, happen, choose, rows):
    """A fact that was told by the old choice commits while the new one is being made."""
    await happen("auth", registered())
    await choose(**around_now())
    work = handlers(resources).parse(outbox_event("resource", created(), sequence=1).body)
    wanted = {"types": {}, "quiet_hours": None, "digest": {"frequency": "off"}}
    async with resources.sessions.begin() as session:
        await work.apply(session)
        url, headers = "/api/v1/notification-preferences", issuer.headers(ME)
        choosing = asyncio.create_task(client.put(url, json=wanted, headers=headers))
        await waiting_for_a_lock(resources.engine)
        await write_collected(session)
    assert (await choosing).status_code == 200
    assert await held_until(rows) <= now()


async def test_digests_that_are_switched_off_leave_nothing_waiting(resources, client, issuer, happen, choose, rows):
    """A fact that was told by the old choice opens a digest while the new one is being made."""
    await happen("auth", registered())
    await choose(digest="daily", digest_at=around_now()["quiet_start"])
    work = handlers(resources).parse(outbox_event("resource", shared(), sequence=1).body)
    wanted = {"types": {}, "quiet_hours": None, "digest": {"frequency": "off"}}
    async with resources.sessions.begin() as session:
        await work.apply(session)
        url, headers = "/api/v1/notification-preferences", issuer.headers(ME)
        choosing = asyncio.create_task(client.put(url, json=wanted, headers=headers))
        await waiting_for_a_lock(resources.engine)
        await write_collected(session)
    assert (await choosing).status_code == 200
    [digest] = await rows(Digest)
    assert digest.due_at <= now()


async def test_a_choice_is_held_only_where_something_waits_because_of_it(resources, happen, choose):
    """Once in a transaction, whatever it tells. Who has neither quiet hours nor digests costs no look more."""
    often, never, quiet_later = (new_id() for _ in range(3))
    await choose(often, digest="hourly")
    away = now() + timedelta(hours=2)
    await choose(quiet_later, quiet_start=away.time(), quiet_end=(away + timedelta(hours=1)).time())
    asked: list[str] = []

    def seen(_c, _cursor, statement: str, *_) -> None:
        asked.append(statement)

    parse = handlers(resources).parse
    event.listen(resources.engine.sync_engine, "before_cursor_execute", seen)
    try:
        for user, holds in ((often, 1), (never, 0), (quiet_later, 0)):
            asked.clear()
            await resources.inbox.apply([parse(outbox_event("resource", shared(user), sequence=1).body) for _ in "abc"])
            looks = [statement for statement in asked if "notification_preferences" in statement]
            held = [statement for statement in looks if "FOR KEY SHARE" in statement]
            assert (len(held), len(looks)) == (holds, 1 + 2 * holds)
    finally:
        event.remove(resources.engine.sync_engine, "before_cursor_execute", seen)


async def test_what_is_held_of_a_type_that_is_off_by_then_is_not_shown(resources, client, issuer, happen, choose, rows):
    """It was told, so it stays in the list."""
    await choose(**around_now())
    await happen("resource", created())
    await happen("resource", shared())
    off = {"in_app": False, "email": False, "webhook": False}
    wanted = {"types": {"TASK_CREATED": off}, "quiet_hours": None, "digest": {"frequency": "off"}}
    url, headers = "/api/v1/notification-preferences", issuer.headers(ME)
    assert (await client.put(url, json=wanted, headers=headers)).status_code == 200
    assert await Release(resources.sessions, resources.push).release_batch() == 2
    shown = [frame.data["type"] for frame in await rows(LiveFrame) if frame.type == "notification"]
    assert shown == ["TASK_SHARED"]
    assert {each.type: each.held_until for each in await rows(Notification)} == dict.fromkeys(
        ("TASK_CREATED", "TASK_SHARED")
    )


async def test_what_was_held_for_a_deleted_user_is_not_shown(resources, happen, choose, rows):
    await choose(**around_now())
    await happen("resource", created())
    async with resources.sessions.begin() as session:
        await session.execute(update(Notification).values(held_until=now()))
        session.add(ErasedUser(user_id=ME, erased_at=now()))
        await session.execute(delete(LiveFrame))
    assert await Release(resources.sessions, resources.push).release_batch() == 1
    assert await rows(LiveFrame) == []


async def test_what_a_transaction_shows_is_pushed_together(resources, monkeypatch):
    pushed: list[list[tuple[int, str]]] = []

    async def send(*frames) -> None:
        pushed.append([(frame.position, frame.type) for frame in frames])

    monkeypatch.setattr(resources.push, "send", send)
    parse = handlers(resources).parse
    works = [parse(outbox_event("resource", created(), sequence=1).body) for _ in range(3)]
    for work in await resources.inbox.apply(works):
        await work.committed()
    kinds = ["task.changed", "notification"] * 3
    assert pushed == [list(enumerate(kinds, start=1))]
