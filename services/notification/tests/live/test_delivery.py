"""Facts arrive at every open connection of their user, over each transport, and nowhere else."""

from pathlib import Path

import pytest

from grove.contracts.resource import TaskCreated, TaskDeleted, TaskShared, TaskUpdated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.web.etag import etag
from grove_notification.live.sockets import MESSAGES_AT_ONCE, MESSAGES_PER_SECOND, TOKEN_COSTS

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[4] / "docs" / "notification.md"


async def test_a_fact_arrives_at_every_connection_of_its_user_only(replica, start, connect, issuer, happen, make):
    me, other = new_id(), new_id()
    second_replica = await start()
    async with (
        connect(replica.url, issuer.headers(me)) as first,
        connect(second_replica.url, issuer.headers(me)) as second,
        connect(replica.url, issuer.headers(other)) as stranger,
    ):
        for client in (first, second, stranger):
            assert (await client.frame("unread_count"))["data"] == {"count": 0}
        fact = TaskCreated(task_id=new_id(), user_id=me, title="Plant", created_at=now())
        await happen("resource", fact)
        for client in (first, second):
            changed = await client.frame("task.changed")
            assert (changed["data"]["id"], changed["data"]["change"]) == (str(fact.task_id), "created")
            assert changed["data"]["etag"].endswith('-1"')
            frame = await client.frame("notification")
            assert (frame["data"]["type"], frame["data"]["task_id"]) == ("TASK_CREATED", str(fact.task_id))
            assert (await client.frame("unread_count"))["data"] == {"count": 1}
        await make(other, "Theirs")
        assert await stranger.titles(1) == ["Theirs"], "and nothing before"


async def test_a_quiet_fact_only_lets_open_lists_know(replica, connect, client, issuer, happen):
    me, friend = new_id(), new_id()
    fact = TaskUpdated(
        task_id=new_id(),
        user_id=me,
        title="T",
        participants=[friend],
        changed=["tags"],
        updated_at=now(),
        quiet=True,
    )
    async with connect(replica.url, issuer.headers(me)) as mine, connect(replica.url, issuer.headers(friend)) as theirs:
        await happen("resource", fact, sequence=7)
        for stream, user in ((mine, me), (theirs, friend)):
            changed = await stream.frame("task.changed")
            assert (changed["data"]["id"], changed["data"]["change"]) == (str(fact.task_id), "updated")
            assert changed["data"]["version"] == 7
            assert changed["data"]["etag"] == (etag(fact.task_id, 7) if user == me else None)
            told = await client.get("/api/v1/notifications", headers=issuer.headers(user))
            assert told.json()["total"] == 0


async def test_who_is_given_a_task_or_another_role_has_it_in_open_lists_whatever_they_chose(
    replica, connect, client, issuer, happen
):
    owner, friend, task = new_id(), new_id(), new_id()
    theirs = issuer.headers(friend)
    chosen = {
        "types": {"TASK_SHARED": {"in_app": False, "email": False, "webhook": False}},
        "quiet_hours": None,
        "digest": {"frequency": "off", "at": "08:00"},
    }
    answer = await client.put("/api/v1/notification-preferences", json=chosen, headers=theirs)
    assert answer.status_code == 200
    about = {"share_id": new_id(), "task_id": task, "user_id": owner, "with_user_id": friend, "title": "T"}
    async with connect(replica.url, theirs) as stream:
        for sequence, role in enumerate(("viewer", "editor"), start=1):
            await happen("resource", TaskShared(**about, role=role, shared_at=now()), sequence=sequence)
            changed = {"id": str(task), "change": "shared", "version": None, "etag": None}
            assert (await stream.frame("task.changed"))["data"] == changed
        assert not stream.of("notification")


@pytest.mark.parametrize("permanent", [True, False])
async def test_a_task_has_a_tag_as_long_as_it_can_be_got(replica, connect, issuer, happen, permanent):
    me = new_id()
    gone = TaskDeleted(task_id=new_id(), user_id=me, title="T", participants=[], permanent=permanent, deleted_at=now())
    async with connect(replica.url, issuer.headers(me)) as stream:
        await happen("resource", gone, sequence=5)
        data = (await stream.frame("task.changed"))["data"]
        assert (data["change"], data["version"]) == ("deleted", 5)
        assert data["etag"] == (None if permanent else etag(gone.task_id, 5))


async def test_the_count_follows_what_is_marked_or_deleted_elsewhere(replica, start, connect, client, issuer, make):
    me = new_id()
    mine = issuer.headers(me)
    other_replica = await start()
    await make(me, "A", "B", "C", "D")
    url = "/api/v1/notifications"
    items = (await client.get(url, headers=mine)).json()["items"]
    async with connect(other_replica.url, mine) as tab:
        assert (await tab.frame("unread_count"))["data"] == {"count": 4}
        await client.put(f"{url}/{items[0]['id']}", json={"is_read": True}, headers=mine)
        assert (await tab.frame("unread_count"))["data"] == {"count": 3}
        await client.delete(f"{url}/{items[1]['id']}", headers=mine)
        assert (await tab.frame("unread_count"))["data"] == {"count": 2}
        await client.delete(f"{url}?notification_ids={items[2]['id']}", headers=mine)
        assert (await tab.frame("unread_count"))["data"] == {"count": 1}
        await client.put(f"{url}/mark-all-read", headers=mine)
        assert (await tab.frame("unread_count"))["data"] == {"count": 0}
        await client.put(f"{url}/{items[0]['id']}", json={"is_read": False}, headers=mine)
        assert (await tab.frame("unread_count"))["data"] == {"count": 1}
        assert {frame["type"] for frame in tab.seen} <= {"unread_count", "ping"}


async def test_a_burst_is_counted_once_it_is_through(replica, connect, issuer, happen):
    """The count comes when nothing waits: not after each of the frames that one transaction brought."""
    from grove.outbox.event import outbox_event
    from grove_notification.consumers import handlers

    me = new_id()
    async with connect(replica.url, issuer.headers(me)) as client:
        await client.frame("unread_count")
        facts = [TaskCreated(task_id=new_id(), user_id=me, title=f"T{n}", created_at=now()) for n in range(30)]
        parse = handlers(replica.resources).parse
        applied = await replica.resources.inbox.apply(
            [parse(outbox_event("resource", fact, sequence=1).body) for fact in facts]
        )
        replica.only().subscriber.reached(60)  # pushes of all of it, in one go
        assert await client.titles(30) == [f"T{n}" for n in range(30)]
        assert len(client.of("unread_count")) == 2
        for one in applied:
            await one.committed()
        await happen("resource", facts[0].model_copy(update={"title": "Last", "task_id": new_id()}))
        assert await client.titles(1) == ["Last"], "pushes that come late are passed over"


async def test_pings_come(start, connect, issuer):
    replica = await start(live_ping_seconds=0.1)
    async with connect(replica.url, issuer.headers()) as client:
        for _ in range(3):
            assert (await client.frame("ping"))["data"] == {}


async def test_events_pass_unbuffered_and_no_browser_is_told_to_come_back_by_itself(replica, over_http, issuer):
    async with over_http(replica.url, issuer.headers()) as client:
        assert client.answer.headers["content-type"].startswith("text/event-stream")
        assert client.answer.headers["cache-control"] == "no-store"
        assert "content-length" not in client.answer.headers
        assert set(await client.event()) == {"id", "event", "data"}, "no `retry`: its ticket was used"


async def test_the_document_tells_of_the_events(client):
    document = (await client.get("/api/v1/openapi.json")).json()
    operation = document["paths"]["/api/v1/notifications/events"]["get"]
    content = operation["responses"]["200"]["content"]
    assert set(content) == {"text/event-stream"}
    assert {"bearer": []} in operation["security"]
    assert {"ticket": []} in operation["security"]
    assert {each["name"] for each in operation["parameters"]} == {"resume_from", "last-event-id"}
    for kind in ("notification", "unread_count", "task.changed", "reset", "ping", "close"):
        assert f"`{kind}`" in operation["description"]
    example = operation["description"].split("```js\n")[1].split("```")[0]
    assert "new EventSource(`${live}/events?" in example, "the api's own address: pages have another host"
    assert "code === 4401 ? signInFirst() : again()" in example, "who is signed out asks for no more tickets"
    assert example in DOCS.read_text(), "the same in the documentation"
    assert "closes with 1006" in operation["description"]
    socket = document["paths"]["/api/v1/notifications/stream"]["get"]
    schema = socket["responses"]["1XX"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/LiveFrame"}
    assert len(document["components"]["schemas"]["LiveFrame"]["anyOf"]) == 4
    assert "200" not in socket["responses"]
    words = " ".join(socket["description"].split())
    assert f"more than {MESSAGES_AT_ONCE} messages at once or {MESSAGES_PER_SECOND} a second" in words
    assert f"a new token counts as {TOKEN_COSTS}." in words
