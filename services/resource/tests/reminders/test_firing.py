"""Reminders fire when their time has come: whom, in which order, and what keeps them silent."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from grove_resource.reminders import firing as firing_module
from grove_resource.reminders.firing import Firing
from grove_resource.resources import Resources

pytestmark = pytest.mark.integration
DUE = "2031-05-01T12:00:00Z"
PAST = "UPDATE reminders SET fires_at = now() - interval '1 minute' WHERE fired_at IS NULL"


async def test_a_due_reminder_is_told_once_and_again_when_armed_again(ada, firing, facts, run_sql):
    task = await ada.make("Water", due_at=DUE)
    made = await ada.remind(task, minutes_before_due=30)
    assert await firing.fire_batch() == 0
    for _ in range(3):
        await run_sql(PAST)
        await firing.fire_due()
    (fact,) = await facts("reminder_due")
    told = {"reminder_id": made["id"], "task_id": task, "user_id": str(ada.id), "title": "Water", "due_at": DUE}
    fired = (await ada.reminders(task))[0]["fired_at"]
    assert fact.data | told == fact.data
    assert fired.startswith(fact.data["fired_at"][:23])
    await ada.call("PATCH", f"/{task}", {"due_at": "2031-06-01T12:00:00Z"})
    await run_sql(PAST)
    await firing.fire_due()
    assert [each.sequence for each in await facts("reminder_due")] == [1, 2]


async def test_completed_and_deleted_tasks_and_lost_access_stay_silent(ada, bob, share, firing, facts, run_sql):
    tasks = [await ada.make(name, due_at=DUE) for name in ("done", "deleted", "unshared", "shared")]
    for task in tasks:
        await share(task, bob)
        await bob.remind(task, minutes_before_due=5)
    await ada.call("PATCH", f"/{tasks[0]}/complete")
    await ada.call("DELETE", f"/{tasks[1]}", status=204)
    await run_sql("DELETE FROM shares WHERE task_id = :task", task=tasks[2])
    await run_sql(PAST)
    assert await firing.fire_batch() == 4
    assert [each.data["title"] for each in await facts("reminder_due")] == ["shared"]
    left = await run_sql("SELECT count(*) FROM reminders WHERE fired_at IS NULL")
    silent = await run_sql("SELECT count(*) FROM reminders WHERE fired = 0")
    assert (left.scalar(), silent.scalar()) == (0, 3)


async def test_a_waiting_worker_wakes_at_the_time_and_sees_new_ones_within_its_look(ada, resources, facts, run_sql):
    task = await ada.make()
    first = await ada.remind(task, at=DUE)
    await run_sql("UPDATE reminders SET fires_at = clock_timestamp() + interval '0.7 seconds'")
    job = asyncio.create_task(Firing(resources.sessions, resources.reads, look_seconds=30).run())
    try:
        async with asyncio.timeout(5):
            while not (told := await facts("reminder_due")):
                await asyncio.sleep(0.02)
    finally:
        job.cancel()
    assert told[0].data["reminder_id"] == first["id"]
    late = await run_sql("SELECT extract(epoch FROM fired_at - fires_at) FROM reminders")
    assert 0 <= float(late.scalar()) < 0.5


@pytest.mark.parametrize(("seconds", "degraded"), [(-5, False), (50, False), (90, True)])
async def test_health_and_metric_tell_of_late_reminders(ada, firing, run_sql, seconds, degraded):
    task = await ada.make()
    await ada.remind(task, at=DUE)
    await run_sql("UPDATE reminders SET fires_at = now() - make_interval(secs => :late)", late=seconds)
    assert bool(await firing.check()) is degraded
    late = REGISTRY.get_sample_value("grove_reminders_late_seconds")
    assert late == pytest.approx(max(0, seconds), abs=5)
    await run_sql("DELETE FROM reminders")
    assert await firing.check() is None
    assert REGISTRY.get_sample_value("grove_reminders_late_seconds") == 0


async def test_a_lost_database_is_waited_for(settings, resources, ada, facts, run_sql, monkeypatch):
    """The same job goes on when the database is back."""
    monkeypatch.setattr(firing_module, "STORE_AWAY_SECONDS", 0.1)
    task = await ada.make()
    await ada.remind(task, at=DUE)
    await run_sql(PAST)
    lost = Resources(settings.model_copy(update={"database_port": 1}))
    job = Firing(lost.sessions, lost.reads, look_seconds=1)
    running = asyncio.create_task(job.run())
    await asyncio.sleep(0.5)
    assert not running.done()
    job._sessions, job._reads = resources.sessions, resources.reads
    async with asyncio.timeout(5):
        while not await facts("reminder_due"):
            await asyncio.sleep(0.05)
    running.cancel()
    await lost.aclose()


async def test_reminders_that_another_worker_holds_are_passed_over(ada, resources, firing, facts, run_sql):
    task = await ada.make()
    for _ in range(4):
        await ada.remind(task, at=DUE)
    await run_sql(PAST)
    async with resources.sessions() as session:
        await session.execute(
            text("SELECT id FROM reminders ORDER BY id LIMIT 3 FOR UPDATE"),
        )
        began = time.monotonic()
        assert await firing.fire_batch() == 1
        assert await firing.fire_due() == firing_module.HELD_BY_OTHERS_SECONDS
        assert time.monotonic() - began < 2
    assert await firing.fire_batch() == 3
    assert len(await facts("reminder_due")) == 4
