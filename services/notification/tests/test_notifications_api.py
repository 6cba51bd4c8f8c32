"""Notifications over HTTP."""

import asyncio

import pytest
from sqlalchemy import select, update

from grove.contracts import resource
from grove.core.clock import now
from grove.core.ids import new_id
from grove.testing.postgres import check_models, migrate_both_ways, waiting_for_a_lock
from grove_notification.models import Notification
from grove_notification.notifications import service

pytestmark = pytest.mark.integration
URL = "/api/v1/notifications"
ME = new_id()


def task(kind: type = resource.TaskCreated, title: str = "Plant", **fields):
    moment = {
        resource.TaskCreated: "created_at",
        resource.TaskUpdated: "updated_at",
        resource.TaskCompleted: "completed_at",
        resource.TaskReopened: "reopened_at",
        resource.TaskDeleted: "deleted_at",
        resource.TaskRestored: "restored_at",
    }[kind]
    return kind(task_id=new_id(), user_id=ME, title=title, **{moment: now()}, **fields)


@pytest.fixture
def me(issuer):
    return issuer.headers(ME)


async def test_facts_become_notifications_once(client, me, happen):
    fact = task()
    assert await happen("resource", fact)
    listed = await client.get(URL, headers=me)
    [item] = listed.json()["items"]
    assert (item["type"], item["message"], item["is_read"]) == ("TASK_CREATED", "“Plant” was created.", False)
    assert (item["task_id"], item["link"]) == (str(fact.task_id), f"/api/v1/tasks/{fact.task_id}")
    assert (listed.headers["x-total-count"], listed.headers["x-unread-count"]) == ("1", "1")


async def test_reading_and_deleting(client, me, happen):
    for number in range(5):
        await happen("resource", task(title=f"T{number}"))
    items = (await client.get(URL, headers=me)).json()["items"]
    one = f"{URL}/{items[0]['id']}"
    got = await client.get(one, headers=me)
    assert got.json() == items[0]
    assert (await client.get(one, headers=me | {"If-None-Match": got.headers["etag"]})).status_code == 304
    read = await client.put(one, json={"is_read": True}, headers=me | {"If-Match": got.headers["etag"]})
    assert read.json()["is_read"] is True
    assert read.json()["read_at"]
    again = await client.put(one, json={"is_read": True}, headers=me)
    assert again.headers["etag"] == read.headers["etag"]
    stale = await client.put(one, json={"is_read": False}, headers=me | {"If-Match": got.headers["etag"]})
    assert stale.status_code == 412
    assert (await client.get(f"{URL}/unread/count", headers=me)).json() == {"count": 4}
    unread = await client.get(f"{URL}?unread_only=true&size=2", headers=me)
    assert (unread.json()["total"], len(unread.json()["items"])) == (4, 2)
    assert (await client.put(f"{URL}/mark-all-read", headers=me)).json() == {"updated": 4}
    assert (await client.put(f"{URL}/mark-all-read", headers=me)).json() == {"updated": 0}
    assert (await client.put(one, json={"is_read": False}, headers=me)).json()["read_at"] is None
    assert (await client.delete(one, headers=me)).status_code == 204
    assert (await client.delete(one, headers=me)).status_code == 404
    ids = ",".join(item["id"] for item in items[:3])
    gone = await client.delete(f"{URL}?notification_ids={ids}&notification_ids={items[3]['id']}", headers=me)
    assert gone.json() == {"deleted": 3}
    assert (await client.get(URL, headers=me)).headers["x-total-count"] == "1"


@pytest.mark.parametrize("ids", ["", "x", ",".join(str(new_id()) for _ in range(101))])
async def test_ids_to_delete_are_checked(client, me, ids):
    assert (await client.delete(f"{URL}?notification_ids={ids}", headers=me)).status_code == 422


async def test_types_and_cursors(client, me, happen):
    for number in range(7):
        await happen("resource", task(title=f"T{number}"))
    await happen("resource", task(resource.TaskCompleted))
    only = await client.get(f"{URL}?type=TASK_COMPLETED", headers=me)
    assert only.json()["total"] == 1
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get(URL, params={"size": 3, "cursor": cursor}, headers=me)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 8
    for unknown in ("lower", "NO_SUCH_TYPE"):
        [wrong] = (await client.get(f"{URL}?type={unknown}", headers=me)).json()["error"]["details"]
        assert wrong["field"] == "query.type"
        assert wrong["message"].startswith(f"{unknown} is not a type; they are: SIGNUP, LOGIN, ")


async def test_another_users_notification_does_not_exist(client, me, happen, issuer):
    await happen("resource", task())
    [item] = (await client.get(URL, headers=me)).json()["items"]
    other, one = issuer.headers(new_id()), f"{URL}/{item['id']}"
    assert (await client.get(one, headers=other)).status_code == 404
    assert (await client.put(one, json={"is_read": True}, headers=other)).status_code == 404
    assert (await client.delete(one, headers=other)).status_code == 404
    assert (await client.delete(f"{URL}?notification_ids={item['id']}", headers=other)).json() == {"deleted": 0}


async def test_counts_are_right_under_parallel_marking_and_arriving(client, me, happen):
    await asyncio.gather(
        *(happen("resource", task(title=f"T{n}")) for n in range(20)),
        *(client.put(f"{URL}/mark-all-read", headers=me) for _ in range(5)),
    )
    listed = await client.get(f"{URL}?size=100", headers=me)
    unread = sum(not item["is_read"] for item in listed.json()["items"])
    assert (listed.json()["total"], int(listed.headers["x-unread-count"])) == (20, unread)


async def test_marking_all_goes_in_pieces_that_end(client, me, happen, monkeypatch):
    """However many there are, no statement runs into its time limit."""
    monkeypatch.setattr(service, "AT_ONCE", 2)
    for number in range(5):
        await happen("resource", task(title=f"T{number}"))
    assert (await client.put(f"{URL}/mark-all-read", headers=me)).json() == {"updated": 5}
    assert (await client.get(f"{URL}/unread/count", headers=me)).json() == {"count": 0}


async def test_what_comes_while_all_are_marked_stays_unread(client, me, happen, resources, monkeypatch):
    """Marking waits in its second piece, for somebody who holds a row of it; meanwhile something new is told."""
    monkeypatch.setattr(service, "AT_ONCE", 2)
    for number in range(5):
        await happen("resource", task(title=f"T{number}"))
    third = select(Notification.id).order_by(Notification.id).offset(2).limit(1)
    async with resources.engine.begin() as holder:
        await holder.execute(select(Notification.id).where(Notification.id.in_(third)).with_for_update())
        marking = asyncio.create_task(client.put(f"{URL}/mark-all-read", headers=me))
        await waiting_for_a_lock(resources.engine)
        await happen("resource", task(title="new"))
    assert (await marking).json() == {"updated": 5}
    unread = (await client.get(f"{URL}?unread_only=true", headers=me)).json()["items"]
    assert [item["message"] for item in unread] == ["“new” was created."]


async def test_both_counts_of_an_answer_are_of_one_moment(client, me, happen, resources, monkeypatch):
    """All is read after the answer's first statement: it must be the last one."""
    for number in range(3):
        await happen("resource", task(title=f"T{number}"))
    first, scalar = resources.reads.first, resources.reads.scalar

    def then_all_are_read(run):
        async def read(*statement, **values):
            answer = await run(*statement, **values)
            async with resources.engine.begin() as connection:
                await connection.execute(update(Notification).values(read_at=now()))
            return answer

        return read

    monkeypatch.setattr(resources.reads, "first", then_all_are_read(first))
    monkeypatch.setattr(resources.reads, "scalar", then_all_are_read(scalar))
    listed = await client.get(f"{URL}?unread_only=true", headers=me)
    assert (listed.headers["x-total-count"], listed.headers["x-unread-count"]) == ("3", "3")


async def test_a_walk_counts_what_is_unread_too(client, me, happen):
    for number in range(3):
        await happen("resource", task(title=f"T{number}"))
    walked = await client.get(f"{URL}?cursor=&size=2", headers=me)
    assert (len(walked.json()["items"]), walked.headers["x-unread-count"]) == (2, "3")
    nobody = await client.get(f"{URL}?cursor=&type=SIGNUP", headers=me)
    assert (nobody.json()["items"], nobody.headers["x-unread-count"]) == ([], "3")


async def test_a_version_that_was_not_seen_is_not_deleted(client, me, happen):
    await happen("resource", task())
    [item] = (await client.get(URL, headers=me)).json()["items"]
    one = f"{URL}/{item['id']}"
    seen = (await client.get(one, headers=me)).headers["etag"]
    read = (await client.put(one, json={"is_read": True}, headers=me)).headers["etag"]
    refused = await client.delete(one, headers=me | {"If-Match": seen})
    assert (refused.status_code, refused.headers["etag"]) == (412, read)
    assert (await client.get(one, headers=me)).status_code == 200
    assert (await client.delete(one, headers=me | {"If-Match": read})).status_code == 204


async def test_marking_and_deleting_the_same_at_once_hold_nobody_up(client, me, happen):
    for number in range(20):
        await happen("resource", task(title=f"T{number}"))
    ids = [item["id"] for item in (await client.get(f"{URL}?size=20", headers=me)).json()["items"]]
    answers = await asyncio.gather(
        *(client.put(f"{URL}/mark-all-read", headers=me) for _ in range(5)),
        *(client.delete(f"{URL}?notification_ids={','.join(order)}", headers=me) for order in (ids, ids[::-1])),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json().get("deleted", 0) for answer in answers) == 20


async def test_migrations_run_up_down_and_up_and_match_the_models(settings, resources):
    await asyncio.to_thread(migrate_both_ways, settings)
    await asyncio.to_thread(check_models, settings)
