"""Setting, listing and deleting reminders."""

import asyncio
from datetime import datetime, timedelta

import pytest
from pydantic import TypeAdapter
from sqlalchemy import event

from grove.core.clock import now
from grove.core.ids import new_id
from grove_resource.reminders.schemas import ReminderRead

pytestmark = pytest.mark.integration
DUE = "2031-05-01T12:00:00Z"


async def test_reminders_are_each_users_own(ada, bob, actor, share):
    task = await ada.make(due_at=DUE)
    carol = actor()
    await share(task, bob, "viewer")
    await share(task, carol, "editor")
    for who, minutes in ((ada, 0), (bob, 60), (carol, 525_600)):
        made = await who.remind(task, minutes_before_due=minutes)
        assert await who.reminders(task) == [made]
    assert (await bob.reminders(task))[0]["fires_at"] == "2031-05-01T11:00:00Z"
    mine = (await ada.reminders(task))[0]
    await bob.call("DELETE", f"/{task}/reminders/{mine['id']}", status=404)
    await ada.call("DELETE", f"/{task}/reminders/{mine['id']}", status=204)
    await ada.call("DELETE", f"/{task}/reminders/{mine['id']}", status=404)
    assert await ada.reminders(task) == []


async def test_an_answer_is_whole_and_lists_write_the_same_bytes(client, ada):
    task = await ada.make()
    url = f"/api/v1/tasks/{task}/reminders"
    body = {"at": "2031-05-01T14:00:00.120000+02:00"}
    answer = await client.post(url, json=body, headers=ada.headers)
    made = answer.json()
    assert answer.headers["location"] == f"{url}/{made['id']}"
    expected = {"at": "2031-05-01T12:00:00.120000Z", "fires_at": "2031-05-01T12:00:00.120000Z", "fired_at": None}
    assert {name: made[name] for name in expected} == expected
    assert list(made) == list(TypeAdapter(ReminderRead).json_schema()["properties"])
    await ada.remind(task, minutes_before_due=5)
    for query in ("page=1", "cursor=", "sort=fires_at", "sort=-fires_at&cursor="):
        assert answer.content in (await client.get(f"{url}?{query}", headers=ada.headers)).content
    walk = (await client.get(f"{url}?size=1&cursor=&sort=fires_at", headers=ada.headers)).json()
    rest = await client.get(f"{url}?size=1&sort=fires_at&cursor={walk['next_cursor']}", headers=ada.headers)
    assert [walk["items"][0]["fires_at"], rest.json()["items"][0]["fires_at"]] == [made["fires_at"], None]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"at": None},
        {"at": DUE, "minutes_before_due": 5},
        {"at": "2001-01-01T00:00:00Z"},
        {"at": "2031-01-01T00:00:00"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"minutes_before_due": -1},
        {"minutes_before_due": 525_601},
        {"minutes_before_due": 1.5},
        {"at": DUE, "user_id": str(new_id())},
    ],
)
async def test_bad_input_is_a_422_and_sets_nothing(ada, body):
    task = await ada.make(due_at=DUE)
    await ada.call("POST", f"/{task}/reminders", body, 422)
    assert await ada.reminders(task) == []


async def test_whose_task_it_is_and_whether_it_is_there(ada, bob):
    task, none = await ada.make(), new_id()
    for method, path, body in (
        ("GET", "", None),
        ("GET", "?cursor=", None),
        ("POST", "", {"at": DUE}),
        ("DELETE", f"/{new_id()}", None),
    ):
        await bob.call(method, f"/{task}/reminders{path}", body, 403)
        await bob.call(method, f"/{none}/reminders{path}", body, 404)
    await ada.call("DELETE", f"/{task}", status=204)
    refused = await ada.call("POST", f"/{task}/reminders", {"at": DUE}, 400)
    assert refused["error"]["code"] == "INVALID_STATE"
    assert await ada.reminders(task) == []
    await ada.call("GET", f"/{task}/reminders?size=101", status=422)


async def test_an_unshared_task_hides_its_reminders(ada, bob, share, run_sql):
    task = await ada.make(due_at=DUE)
    await share(task, bob)
    made = await bob.remind(task, minutes_before_due=5)
    await run_sql("DELETE FROM shares")
    await bob.call("GET", f"/{task}/reminders", status=403)
    await bob.call("DELETE", f"/{task}/reminders/{made['id']}", status=403)


async def test_a_task_has_20_of_a_user_also_when_more_come_at_once(ada, bob, share):
    task = await ada.make()
    await share(task, bob)
    path = f"/api/v1/tasks/{task}/reminders"
    answers = await asyncio.gather(
        *(ada.client.post(path, json={"at": DUE}, headers=who.headers) for who in (ada, bob) for _ in range(26))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 40 + [422] * 12
    assert (len(await ada.reminders(task)), len(await bob.reminders(task))) == (20, 20)


async def test_an_idempotency_key_sets_one(ada):
    task = await ada.make()
    for _ in range(2):
        await ada.call("POST", f"/{task}/reminders", {"at": DUE}, 201, **{"Idempotency-Key": "r"})
    assert len(await ada.reminders(task)) == 1


async def test_a_task_can_bring_a_reminder(ada):
    task = await ada.make(remind_at=DUE, tags=["new"])
    assert [(each["at"], each["fires_at"]) for each in await ada.reminders(task)] == [(DUE, DUE)]
    refused = await ada.call("POST", "", {"title": "x", "remind_at": "2001-01-01T00:00:00Z"}, 422)
    assert refused["error"]["details"][0]["field"] == "body.remind_at"
    await ada.call("PATCH", f"/{task}", {"remind_at": DUE}, 422)
    assert (await ada.call("GET", ""))["total"] == 1


async def test_the_due_date_moves_everybodys_relative_reminders(ada, bob, share, run_sql):
    task = await ada.make()
    await share(task, bob, "editor")
    await ada.remind(task, minutes_before_due=30)
    await ada.remind(task, at=DUE)
    await bob.remind(task, minutes_before_due=0)

    async def times() -> list[str | None]:
        return [each["fires_at"] for who in (ada, bob) for each in await who.reminders(task)]

    assert await times() == [None, DUE, None]
    await bob.call("PATCH", f"/{task}", {"due_at": "2031-06-01T12:00:00Z"})
    assert await times() == ["2031-06-01T11:30:00Z", DUE, "2031-06-01T12:00:00Z"]
    await run_sql("UPDATE reminders SET fired_at = now(), fired = 1")
    await bob.call("PATCH", f"/{task}", {"title": "no move"})
    assert all(each["fired_at"] for each in await ada.reminders(task))
    await ada.call("PATCH", f"/{task}", {"due_at": "2031-07-01T12:00:00Z", "title": "moved"})
    relative, absolute = await ada.reminders(task)
    assert (relative["fired_at"], relative["fires_at"]) == (None, "2031-07-01T11:30:00Z")
    assert absolute["fired_at"]
    await ada.call("PATCH", f"/{task}", {"due_at": None})
    assert await times() == [None, DUE, None]


async def test_a_time_that_is_over_when_set_or_moved_does_not_fire(ada, firing, facts):
    task = await ada.make(due_at="2001-01-01T00:00:00Z")
    assert (await ada.remind(task, minutes_before_due=5))["fired_at"]
    later = await ada.make(due_at=DUE)
    assert (await ada.remind(later, minutes_before_due=5))["fired_at"] is None
    await ada.call("PATCH", f"/{later}", {"due_at": "0001-01-01T00:00:00Z"})
    moved = (await ada.reminders(later))[0]
    assert moved["fires_at"] == "0001-01-01T00:00:00Z"
    assert now() - datetime.fromisoformat(moved["fired_at"]) < timedelta(minutes=1)
    await firing.fire_due()
    assert await facts("reminder_due") == []


async def test_one_that_waits_for_a_worker_still_fires_when_moved_further_back(ada, firing, facts, run_sql):
    task = await ada.make(due_at=DUE)
    await ada.remind(task, minutes_before_due=5)
    await run_sql("UPDATE reminders SET fires_at = now() - interval '1 minute'")
    await ada.call("PATCH", f"/{task}", {"due_at": "2001-01-01T00:00:00Z"})
    await firing.fire_due()
    assert [fact.sequence for fact in await facts("reminder_due")] == [1]


async def test_setting_against_a_moving_due_date_never_leaves_a_stale_time(ada):
    """Both orders, many times: the reminder fires at the due date that stays."""
    for number in range(15):
        task = await ada.make(due_at=DUE)
        due = f"2031-06-{number + 1:02}T00:00:00Z"
        await asyncio.gather(
            ada.call("PATCH", f"/{task}", {"due_at": due}),
            ada.remind(task, minutes_before_due=0),
            ada.remind(task, minutes_before_due=0),
        )
        assert {each["fires_at"] for each in await ada.reminders(task)} == {due}


async def test_statements_are_few(ada, resources):
    task = await ada.make(due_at=DUE)
    statements: list[str] = []

    @event.listens_for(resources.engine.sync_engine, "before_cursor_execute")
    def count(_c, _cur, statement, *_):
        statements.append(statement)

    rule = "FREQ=DAILY"
    try:
        for method, path, body, status in (
            ("POST", f"/{task}/reminders", {"minutes_before_due": 5}, 201),
            ("POST", "", {"title": "x", "remind_at": DUE, "recurrence": rule, "due_at": DUE, "tags": ["t"]}, 201),
            ("PATCH", f"/{task}", {"due_at": "2031-09-01T00:00:00Z", "tags": ["u"], "recurrence": rule}, 200),
            ("PATCH", f"/{task}", {"due_at": "2031-10-01T00:00:00Z", "completed": True}, 200),
        ):
            statements.clear()
            await ada.call(method, path, body, status)
            assert 1 <= len(statements) <= 3, statements
    finally:
        event.remove(resources.engine.sync_engine, "before_cursor_execute", count)
