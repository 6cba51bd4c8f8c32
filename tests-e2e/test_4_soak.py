"""Thousands of events through workers that are killed each second, with the broker and the database restarted midway:
each applied once by every channel, though some are published twice; none lost; each list tells a task's story in its
order, and of what comes late the newest stays."""

import asyncio
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from grove.contracts import resource
from grove.contracts.auth import UserRegistered, UserUpdated
from grove.contracts.event import Envelope, EventData
from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.broker import BROKER_ERRORS, Broker, EventPublisher
from grove.outbox.event import OutboxEvent, outbox_event
from grove.security.mtls import TlsMaterial
from grove_stack.plan import Plan
from grove_stack.settings import StackSettings
from grove_stack.testing.crew import Crew, crew

SOAK = int(os.environ.get("GROVE_ROUNDS", "1")) > 1
TASKS = 4000 if SOAK else 400
STORY = ("TASK_CREATED", "TASK_UPDATED", "TASK_COMPLETED", "TASK_PENDING", "TASK_DELETED")
TOLD = TASKS * len(STORY)
SILENT = [new_id() for _ in range(8)]
"""Accounts without a person: what happens to them comes in any order."""
LOCALES = [f"de-{number:03}" for number in range(1, 11)]
WORKERS = 2
AT_ONCE = 50
TWICE = 10
"""One of so many events is published again, as by a relay that died before it noted what it had sent."""
SECONDS = TOLD / 150
GUARD_SECONDS = 120 + TOLD / 20


@dataclass(frozen=True)
class Cast:
    """Whom events are about: one gets digests and webhooks, one mails, the others nothing but what everybody gets."""

    digested: UUID
    mailed: UUID

    @property
    def users(self) -> list[UUID]:
        return [self.digested, self.mailed, *SILENT]


def story(task_id: UUID, user_id: UUID) -> list[EventData]:
    """What happens to one task, a millisecond after another."""
    about: dict[str, Any] = {"task_id": task_id, "user_id": user_id, "title": "Plant"}
    moments = [now() + timedelta(milliseconds=number) for number in range(len(STORY))]
    return [
        resource.TaskCreated(**about, created_at=moments[0]),
        resource.TaskUpdated(**about, changed=["title"], updated_at=moments[1]),
        resource.TaskCompleted(**about, completed_at=moments[2]),
        resource.TaskReopened(**about, reopened_at=moments[3]),
        resource.TaskDeleted(**about, permanent=False, deleted_at=moments[4]),
    ]


def stories(cast: Cast) -> list[OutboxEvent]:
    """Chapter by chapter, so that the stories of all tasks run beside each other."""
    told = [story(new_id(), user) for _, user in zip(range(TASKS), cycle(cast.users), strict=False)]
    return [
        outbox_event("resource", chapter, sequence=number)
        for some in (told[start : start + 40] for start in range(0, TASKS, 40))
        for number, chapters in enumerate(zip(*some, strict=True), start=1)
        for chapter in chapters
    ]


def registrations() -> list[OutboxEvent]:
    about = {"name": "Silent", "locale": "en", "timezone": "UTC", "roles": [], "registered_at": now(), "greet": False}
    return [
        outbox_event("auth", UserRegistered(user_id=user, email=f"{user.hex}@grove.example", **about), sequence=1)
        for user in SILENT
    ]


def moves() -> list[OutboxEvent]:
    """Each silent account takes one locale after the other, and the events of that arrive in any order."""
    moved = [
        outbox_event("auth", UserUpdated(user_id=user, locale=locale, timezone="UTC", roles=[]), sequence=number)
        for user in SILENT
        for number, locale in enumerate(LOCALES, start=2)
    ]
    Random(20).shuffle(moved)  # noqa: S311 - the same order each time
    return moved


async def kill_one_each_second(workers: Crew) -> None:
    for number in cycle(range(WORKERS)):
        await workers.kill(number, after_seconds=1)


@pytest.fixture
def plan(suite) -> Plan:
    return Plan(StackSettings(state_dir=suite.folder, https_port=0, http_port=0, durable=False))


async def publish(plan: Plan, service: str, events: list[OutboxEvent], seconds: float = 0) -> None:
    """As a relay does: each until the broker has it safely, in their order, over about `seconds`; some once more."""
    plan.layout.ensure_identity(service, f"{service}-soak")
    tls = TlsMaterial(plan.layout.identity_file(f"{service}-soak"), plan.layout.internal_ca.certificate_file)
    broker = Broker(f"amqps://127.0.0.1:{plan.rabbitmq.port}/grove", tls, f"{service}-soak")
    waiting = list(events)
    while waiting:
        with suppress(*BROKER_ERRORS):
            async with broker.connection() as connection:
                publisher = await EventPublisher.on(connection)
                while waiting:
                    some = waiting[:AT_ONCE]
                    await asyncio.gather(
                        *(
                            publisher.publish(each.id, each.type, each.body, mandatory=True)
                            for each in [*some, *some[::TWICE]]
                        )
                    )
                    del waiting[:AT_ONCE]
                    await asyncio.sleep(seconds * len(some) / len(events))
        await asyncio.sleep(0.2 if waiting else 0)


async def rows(plan: Plan, query: str, *values: Any) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=plan.ports.pick("postgres"),
        user="notification",
        database="notification",
        password=plan.layout.secret("notification", "database_password"),
    )
    try:
        return await connection.fetch(query, *values)
    finally:
        await connection.close()


@pytest.fixture
async def cast(ada, bob, suite, plan) -> Cast:
    """They are registered, and say how they want to be told."""
    channels = {"in_app": True, "email": True, "webhook": True}
    wanted = [(ada, dict.fromkeys(STORY, channels), "hourly"), (bob, {"TASK_CREATED": channels}, "off")]
    for person, types, frequency in wanted:
        body = {"types": types, "quiet_hours": None, "digest": {"frequency": frequency}}
        answer = await person.call("PUT", "/notification-preferences", json=body)
        assert answer.status_code == 200, answer.text
    hook = {"url": f"{suite.file['sandbox_url']}/webhooks/receive/{new_id().hex}", "event_types": ["resource.task.*"]}
    answer = await ada.call("POST", "/webhooks", json=hook)
    assert answer.status_code == 201, answer.text
    found = [await rows(plan, "SELECT id FROM users WHERE email = $1", person.email) for person in (ada, bob)]
    return Cast(*(row["id"] for [row] in found))


async def test_workers_killed_each_second_apply_each_event_once(suite, plan, wait_until, ada, cast):
    told, moved, registered = stories(cast), moves(), registrations()

    async def applied(*events: OutboxEvent) -> bool:
        ids = [event.id for event in events]
        with suppress(OSError, asyncpg.PostgresError):
            return len(await rows(plan, "SELECT FROM inbox WHERE event_id = ANY($1)", ids)) == len(ids)
        return False

    await publish(plan, "auth", registered)
    await wait_until(lambda: applied(*registered), GUARD_SECONDS)
    suite.grove("stack", "up", "--scale", "notification-worker=0")
    try:
        async with crew(plan, "notification", copies=WORKERS, job="consumer") as workers:
            workers.begin_killing(kill_one_each_second(workers))
            publishing = asyncio.gather(publish(plan, "resource", told, SECONDS), publish(plan, "auth", moved, SECONDS))
            for server in ("rabbitmq", "postgres"):
                await asyncio.sleep(SECONDS / 3)
                await asyncio.to_thread(suite.grove, "stack", "stop", server)
                await asyncio.to_thread(suite.grove, "stack", "start", server)
            async with asyncio.timeout(GUARD_SECONDS):
                await publishing
                await wait_until(lambda: applied(*told, *moved), GUARD_SECONDS)
            assert workers.killed >= 3
    finally:
        suite.grove("stack", "up", "--scale", "notification-worker=1")
    await asyncio.sleep(1)  # whatever is delivered again is now
    await once_each(plan, cast)
    await once_in_each_channel(plan, cast, told)
    await the_newest_stays(plan)
    await counted(plan, ada, cast)


async def once_each(plan: Plan, cast: Cast) -> None:
    told: dict[UUID, list[str]] = {}
    query = (
        "SELECT task_id, type FROM notifications WHERE user_id = ANY($1) AND task_id IS NOT NULL ORDER BY created_at"
    )
    for row in await rows(plan, query, cast.users):
        told.setdefault(row["task_id"], []).append(row["type"])
    assert len(told) == TASKS
    assert {tuple(story) for story in told.values()} == {STORY}
    gaps = await rows(
        plan,
        "SELECT user_id FROM live_frames WHERE user_id = ANY($1) GROUP BY user_id "
        "HAVING min(position) <> 1 OR max(position) <> count(*)",
        cast.users,
    )
    assert gaps == [], "numbers of the live stream"
    [frames] = await rows(plan, "SELECT count(*) FROM live_frames WHERE user_id = ANY($1)", SILENT)
    share = sum(user in SILENT for _, user in zip(range(TASKS), cycle(cast.users), strict=False))
    assert frames["count"] == 2 * share * len(STORY), "a notification and a change of open lists each"


async def once_in_each_channel(plan: Plan, cast: Cast, told: list[OutboxEvent]) -> None:
    """Items of a digest, deliveries to a webhook, mails: one of each event that should have one."""
    envelopes = [Envelope.model_validate_json(event.body) for event in told]
    of = {user: [each for each in envelopes if each.data["user_id"] == str(user)] for user in cast.users}
    items = await rows(plan, "SELECT type, link FROM digest_items WHERE user_id = $1", cast.digested)
    assert len({row["link"] for row in items}) == len({each.subject for each in of[cast.digested]})
    assert set(Counter((row["link"], row["type"]) for row in items).values()) == {1}
    assert len(items) == len(of[cast.digested])
    made = await rows(plan, "SELECT event_id FROM webhook_deliveries WHERE user_id = $1", cast.digested)
    assert Counter(row["event_id"] for row in made) == Counter(each.id for each in of[cast.digested])
    mails = await rows(
        plan, "SELECT id FROM mails WHERE user_id = $1 AND notification_type = 'TASK_CREATED'", cast.mailed
    )
    assert len(mails) == sum(each.type == resource.TaskCreated.type for each in of[cast.mailed])


async def the_newest_stays(plan: Plan) -> None:
    known = await rows(plan, "SELECT id, locale, sequence FROM users WHERE id = ANY($1)", SILENT)
    newest = (LOCALES[-1], len(LOCALES) + 1)
    assert {row["id"]: (row["locale"], row["sequence"]) for row in known} == dict.fromkeys(SILENT, newest)


async def counted(plan: Plan, ada: Any, cast: Cast) -> None:
    await ada.login()
    listed = await ada.call("GET", "/notifications", params={"size": 1})
    assert listed.status_code == 200, listed.text
    [row] = await rows(plan, "SELECT count(*) FROM notifications WHERE user_id = $1", cast.digested)
    assert int(listed.headers["x-unread-count"]) == row["count"]
