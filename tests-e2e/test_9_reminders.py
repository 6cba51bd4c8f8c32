"""Reminders and recurring tasks through the whole suite, with two resource workers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def two_workers(suite):
    suite.grove("stack", "up", "--scale", "resource-worker=2")
    assert len(suite.processes("resource-worker")) == 2
    yield
    suite.grove("stack", "up", "--scale", "resource-worker=1")


async def test_a_reminder_is_told_live_and_once_although_two_workers_look(two_workers, ada, wait_until):
    async with ada.live() as live:
        fires_at = datetime.now(UTC) + timedelta(seconds=3)
        body = {"title": "Water the oak", "remind_at": fires_at.isoformat()}
        answer = await ada.call("POST", "/tasks", json=body)
        assert answer.status_code == 201, answer.text
        task = answer.json()["id"]
        frame = await live.notification("TASK_REMINDER")
        assert datetime.now(UTC) >= fires_at
    assert frame["data"]["task_id"] == task
    (reminder,) = (await ada.call("GET", f"/tasks/{task}/reminders")).json()["items"]
    assert reminder["fired_at"] >= reminder["fires_at"]
    await asyncio.sleep(2)  # both workers have looked again
    assert await ada.notified_tasks("TASK_REMINDER") == [task]


async def test_completing_a_recurring_task_brings_the_next_one(ada, wait_until):
    due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    body = {"title": "Water", "due_at": due_at.isoformat(), "recurrence": "FREQ=WEEKLY;COUNT=2"}
    task = (await ada.call("POST", "/tasks", json=body)).json()
    reminder = await ada.call("POST", f"/tasks/{task['id']}/reminders", json={"minutes_before_due": 10})
    assert reminder.status_code == 201
    done = await ada.call("PATCH", f"/tasks/{task['id']}/complete")
    (following,) = (await ada.call("GET", "/tasks?status=pending")).json()["items"]
    assert done.headers["link"] == f'</api/v1/tasks/{following["id"]}>; rel="next"'
    assert datetime.fromisoformat(following["due_at"]) == due_at + timedelta(weeks=1)
    assert following["recurrence"] == "FREQ=WEEKLY;COUNT=1"
    assert len((await ada.call("GET", f"/tasks/{following['id']}/reminders")).json()["items"]) == 1

    async def told() -> bool:
        return following["id"] in await ada.notified_tasks()

    await wait_until(told, 15)
    last = await ada.call("PATCH", f"/tasks/{following['id']}/complete")
    assert "link" not in last.headers
