"""Thousands of events through workers that are killed each second, with the broker and the database restarted midway:
each applied once, none lost, each task's story in its order."""

import asyncio
import os
from contextlib import suppress
from datetime import datetime
from itertools import cycle
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from grove.contracts import resource
from grove.contracts.event import EventData
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
EVENTS = TASKS * len(STORY)
USERS = [new_id() for _ in range(20)]
WORKERS = 2
AT_ONCE = 50
SECONDS = EVENTS / 150
GUARD_SECONDS = 120 + EVENTS / 20


def story(task_id: UUID, user_id: UUID) -> list[EventData]:
    """What happens to one task, in its order."""
    about: dict[str, Any] = {"task_id": task_id, "user_id": user_id, "title": "Plant"}
    moment = now()
    return [
        resource.TaskCreated(**about, created_at=moment),
        resource.TaskUpdated(**about, changed=["title"], updated_at=moment),
        resource.TaskCompleted(**about, completed_at=moment),
        resource.TaskReopened(**about, reopened_at=moment),
        resource.TaskDeleted(**about, permanent=False, deleted_at=moment),
    ]


def all_events() -> list[OutboxEvent]:
    """Chapter by chapter, so that the stories of all tasks run beside each other."""
    stories = [story(new_id(), user) for _, user in zip(range(TASKS), cycle(USERS), strict=False)]
    return [
        outbox_event("resource", chapter, sequence=number)
        for some in (stories[start : start + 40] for start in range(0, TASKS, 40))
        for number, chapters in enumerate(zip(*some, strict=True), start=1)
        for chapter in chapters
    ]


async def kill_one_each_second(workers: Crew) -> None:
    for number in cycle(range(WORKERS)):
        await workers.kill(number, after_seconds=1)


@pytest.fixture
def plan(suite) -> Plan:
    return Plan(StackSettings(state_dir=suite.folder, https_port=0, http_port=0, durable=False))


async def publish(plan: Plan, events: list[OutboxEvent]) -> None:
    """As a relay does: each until the broker has it safely, in their order, over about SECONDS."""
    plan.layout.ensure_identity("resource", "resource-soak")
    tls = TlsMaterial(plan.layout.identity_file("resource-soak"), plan.layout.internal_ca.certificate_file)
    broker = Broker(f"amqps://127.0.0.1:{plan.rabbitmq.port}/grove", tls, "resource-soak")
    waiting = list(events)
    while waiting:
        with suppress(*BROKER_ERRORS):
            async with broker.connection() as connection:
                publisher = await EventPublisher.on(connection)
                while waiting:
                    some = waiting[:AT_ONCE]
                    await asyncio.gather(
                        *(publisher.publish(each.id, each.type, each.body, mandatory=True) for each in some)
                    )
                    del waiting[:AT_ONCE]
                    await asyncio.sleep(SECONDS * len(some) / len(events))
        await asyncio.sleep(0.2 if waiting else 0)


async def rows(plan: Plan, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=plan.ports.pick("postgres"),
        user="notification",
        database="notification",
        password=plan.layout.secret("notification", "database_password"),
    )
    try:
        return await connection.fetch(query, USERS)
    finally:
        await connection.close()


async def test_workers_killed_each_second_apply_each_event_once(suite, plan, wait_until):
    events = all_events()
    suite.grove("stack", "up", "--scale", "notification-worker=0")
    try:
        async with crew(plan, "notification", copies=WORKERS, job="consumer") as workers:
            workers.begin_killing(kill_one_each_second(workers))
            publishing = asyncio.create_task(publish(plan, events))
            for server in ("rabbitmq", "postgres"):
                await asyncio.sleep(SECONDS / 3)
                await asyncio.to_thread(suite.grove, "stack", "stop", server)
                await asyncio.to_thread(suite.grove, "stack", "start", server)

            async def all_told() -> bool:
                with suppress(OSError, asyncpg.PostgresError):
                    [row] = await rows(plan, "SELECT count(*) FROM notifications WHERE user_id = ANY($1)")
                    return row["count"] >= EVENTS
                return False

            async with asyncio.timeout(GUARD_SECONDS):
                await publishing
                await wait_until(all_told, GUARD_SECONDS)
            assert workers.killed >= 3
    finally:
        suite.grove("stack", "up", "--scale", "notification-worker=1")
    await asyncio.sleep(1)  # whatever is delivered again is now
    await once_each_and_in_order(plan)


async def once_each_and_in_order(plan: Plan) -> None:
    told: dict[UUID, list[tuple[datetime, str]]] = {}
    query = "SELECT task_id, type, created_at FROM notifications WHERE user_id = ANY($1) ORDER BY created_at, id"
    for row in await rows(plan, query):
        told.setdefault(row["task_id"], []).append(row["type"])
    assert len(told) == TASKS
    assert {tuple(story) for story in told.values()} == {STORY}
    gaps = await rows(
        plan,
        "SELECT user_id FROM live_frames WHERE user_id = ANY($1) GROUP BY user_id "
        "HAVING min(position) <> 1 OR max(position) <> count(*)",
    )
    assert gaps == [], "numbers of the live stream"
    [frames] = await rows(plan, "SELECT count(*) FROM live_frames WHERE user_id = ANY($1)")
    assert frames["count"] == 2 * EVENTS, "a notification and a change of open lists each"
