"""Recurring tasks over HTTP: what may recur, and what completing one makes."""

import asyncio

import pytest
from sqlalchemy import text

from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.postgres import outbox_types
from grove_resource.models import Share, User

pytestmark = pytest.mark.integration
TASKS = "/api/v1/tasks"
DUE = "2031-03-29T08:00:00Z"
FULL = {
    "title": "Water",
    "description": "the oak",
    "priority": "high",
    "tags": ["garden"],
    "due_at": DUE,
    "recurrence": "rrule:freq=daily;count=3",
}


@pytest.fixture
def user_id():
    return new_id()


@pytest.fixture
def me(issuer, user_id):
    return issuer.headers(user_id)


@pytest.fixture
def call(client, me):
    async def call(method: str, path: str = "", body=None, status: int = 200, headers=None):
        answer = await client.request(method, f"{TASKS}{path}", json=body, headers=headers or me)
        assert answer.status_code == status, answer.text
        return answer

    return call


@pytest.fixture
def make(call):
    async def make(**fields):
        return (await call("POST", body=FULL | fields, status=201)).json()

    return make


@pytest.fixture
def shared_with(resources, user_id):
    """A task's participant, and the timezone of its owner."""

    async def shared_with(task: dict, who) -> None:
        moment = now()
        async with resources.sessions.begin() as session:
            session.add(
                User(id=user_id, locale="de", timezone="Europe/Berlin", sequence=1, email=None, updated_at=moment)
            )
            share = {"task_id": task["id"], "email": "b@grove.example", "user_id": who, "role": "editor"}
            session.add(Share(id=new_id(), created_at=moment, updated_at=moment, **share))

    return shared_with


def next_of(answer) -> str | None:
    link = answer.headers.get("link", "")
    return link.split(">")[0].rsplit("/", 1)[1] if 'rel="next"' in link else None


async def test_completing_makes_the_next_one_with_shares_and_relative_reminders(
    call, make, me, issuer, shared_with, resources
):
    parent = await make(recurrence=None)
    task, bob = await make(parent_id=parent["id"]), new_id()
    assert task["recurrence"] == "FREQ=DAILY;COUNT=3"
    await shared_with(task, bob)
    bobs = issuer.headers(bob)
    for headers, body in ((me, {"minutes_before_due": 10}), (me, {"at": DUE}), (bobs, {"minutes_before_due": 0})):
        await call("POST", f"/{task['id']}/reminders", body, 201, headers)
    done = await call("PATCH", f"/{task['id']}/complete", headers=bobs)
    assert (done.json()["completed"], done.json()["recurrence"]) == (True, "FREQ=DAILY;COUNT=3")
    following = (await call("GET", f"/{next_of(done)}")).json()
    kept = ("user_id", "title", "description", "priority", "tags", "parent_id", "role")
    assert {name: following[name] for name in kept} == {name: task[name] for name in kept}
    # The clocks of Berlin go forward that night: it stays nine o'clock there.
    expected = {"due_at": "2031-03-30T07:00:00Z", "recurrence": "FREQ=DAILY;COUNT=2", "completed": False}
    assert {name: following[name] for name in expected} == expected
    assert (await call("GET", f"/{following['id']}", headers=bobs)).json()["role"] == "editor"
    for headers, fires_at in ((me, "2031-03-30T06:50:00Z"), (bobs, "2031-03-30T07:00:00Z")):
        found = (await call("GET", f"/{following['id']}/reminders", headers=headers)).json()["items"]
        assert [(each["fires_at"], each["fired_at"]) for each in found] == [(fires_at, None)]
    assert (await outbox_types(resources.engine))[-2:] == ["resource.task.completed.v1", "resource.task.created.v1"]
    async with resources.engine.connect() as connection:
        body = (await connection.execute(text("SELECT body FROM outbox ORDER BY position DESC LIMIT 1"))).scalar()
    assert str(bob) in bytes(body).decode()
    assert following["id"] in bytes(body).decode()


async def test_a_series_runs_out_by_count_and_completing_again_makes_no_second(call, make):
    task = await make()
    ids = [task["id"]]
    while made := next_of(await call("PATCH", f"/{ids[-1]}", {"completed": True})):
        ids.append(made)
    assert len(ids) == 3
    for completed in (False, True):
        assert next_of(await call("PATCH", f"/{ids[0]}", {"completed": completed})) is None
    assert (await call("GET", "?status=all")).json()["total"] == 3


@pytest.mark.parametrize("path", ["/complete", ""])
async def test_completing_in_parallel_makes_one(call, make, client, me, path):
    task = await make()
    url = f"{TASKS}/{task['id']}{path}"
    answers = await asyncio.gather(
        *(client.patch(url, json={"completed": True}, headers=me) for _ in range(12)),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len([answer for answer in answers if next_of(answer)]) == 1
    toggles = await asyncio.gather(*(client.patch(f"{TASKS}/{task['id']}/complete", headers=me) for _ in range(8)))
    assert not any(next_of(answer) for answer in toggles)
    assert (await call("GET")).json()["total"] == 2


async def test_a_late_task_comes_again_after_now_and_changes_count_at_once(call, make):
    task = await make(due_at="2021-01-01T08:00:00Z", recurrence="FREQ=WEEKLY")
    body = {"completed": True, "title": "Pour", "tags": ["new"], "due_at": "2022-01-01T08:00:00Z"}
    done = await call("PATCH", f"/{task['id']}", body)
    following = (await call("GET", f"/{next_of(done)}")).json()
    assert now().isoformat() < following["due_at"]
    assert (following["title"], following["tags"]) == ("Pour", ["new"])
    assert following["due_at"].endswith("T08:00:00Z")


@pytest.mark.parametrize(
    "changes",
    [
        {"due_at": None},
        {"recurrence": "FREQ=HOURLY"},
        {"recurrence": "FREQ=DAILY;BYHOUR=9"},
        {"recurrence": "FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2"},
        {"recurrence": "FREQ=DAILY;UNTIL=20310101T000000Z"},
        {"recurrence": "FREQ=DAILY;" + "X" * 500},
        {"recurrence": 7},
        {"recurrence": "FREQ=DAILY", "due_at": "9999-12-31T23:59:59Z"},
    ],
)
async def test_what_can_not_recur_is_a_422_that_names_the_field_and_changes_nothing(call, make, changes):
    refused = (await call("POST", body=FULL | changes, status=422)).json()["error"]
    assert refused["details"][0]["field"] == "body.recurrence"
    assert (await call("GET")).json()["total"] == 0
    task = await make()
    await call("PATCH", f"/{task['id']}", changes, 422)
    assert (await call("GET", f"/{task['id']}")).json() == task


async def test_recurrence_goes_with_the_due_date_and_can_be_taken_off(call, make):
    task = await make()
    freed = (await call("PATCH", f"/{task['id']}", {"recurrence": None, "due_at": None})).json()
    assert (freed["recurrence"], freed["due_at"]) == (None, None)
    await call("PATCH", f"/{task['id']}", {"recurrence": "FREQ=DAILY"}, 422)
    whole = {name: task[name] for name in ("title", "description", "completed", "priority", "tags", "parent_id")}
    put = await call("PUT", f"/{task['id']}", whole | {"due_at": DUE, "recurrence": "FREQ=DAILY"})
    assert put.json()["recurrence"] == "FREQ=DAILY"
    await call("PUT", f"/{task['id']}", whole | {"due_at": DUE}, 422)
    created_done = await make(completed=True)
    assert created_done["completed"]
    assert (await call("GET")).json()["total"] == 2
