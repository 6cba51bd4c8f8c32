"""Facts → deliveries: whose webhooks, of which types, with which body."""

import asyncio
import json

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import select

from grove.contracts import auth, provider_sync, resource
from grove.contracts.catalogue import BY_TYPE, consumed_by
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.event import outbox_event
from grove_notification.consumers import handlers
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.event_types import EVENT_TYPES, subscribed, unknown

pytestmark = pytest.mark.integration


def created(user_id, title="Plant", **fields) -> resource.TaskCreated:
    return resource.TaskCreated(task_id=new_id(), user_id=user_id, title=title, created_at=now(), **fields)


def share(kind: type, owner, other, **fields):
    return kind(share_id=new_id(), task_id=new_id(), user_id=owner, with_user_id=other, title="Plant", **fields)


@pytest.fixture
def bob():
    return new_id()


@pytest.fixture
def bobs(issuer, bob):
    return issuer.headers(bob)


def test_types_are_of_facts_about_users_that_arrive_here():
    assert set(EVENT_TYPES) <= {published.type for published in consumed_by("notification")}
    for name in EVENT_TYPES:
        assert "user_id" in BY_TYPE[name].model.model_fields
    for never in (auth.MailRequested, auth.UserDeleted, auth.UserRegistered):
        assert never.type not in EVENT_TYPES
    for offered in (provider_sync.TransactionsChanged, provider_sync.ConnectionRecovered):
        assert offered.type in EVENT_TYPES


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        ("resource.*", True),
        ("resource.task.*", True),
        ("resource.task.created.v1", True),
        ("resource.task.created.*", True),
        ("resource.task.updated.v1", False),
        ("resource.moment.*", False),
        ("auth.*", False),
    ],
)
def test_patterns(pattern, matches):
    assert unknown([pattern]) == []
    assert subscribed([pattern], "resource.task.created.v1") is matches


@pytest.mark.parametrize(
    "pattern",
    ["", ".*", "**", "*.created", "resource", "resource.task", "resource.tas*", "resource.task.created",
     "auth.user.deleted.v1", "auth.mail.requested.v1", "grove.webhook.test.v1", "resource.task.created.v2",
     "notification.*"],
)  # fmt: skip
def test_patterns_that_match_nothing_are_unknown(pattern):
    assert unknown([pattern]) == [pattern]


async def test_a_fact_is_queued_for_each_webhook_that_subscribed(create, receiver, happen, ada, rows):
    everything = await create(receiver.url)
    tasks = await create(receiver.url, event_types=["resource.task.*"])
    await create(receiver.url, event_types=["auth.*"])
    fact = created(ada, participants=[new_id()])
    await happen("resource", fact)
    deliveries = await rows.deliveries()
    assert {str(each.webhook_id) for each in deliveries} == {everything["id"], tasks["id"]}
    first, second = deliveries
    assert (first.event_id, first.body) == (second.event_id, second.body)
    assert first.message_id == second.message_id
    body = json.loads(first.body)
    assert list(body) == ["type", "timestamp", "subject", "sequence", "data"]
    assert (body["subject"], body["sequence"]) == (str(fact.task_id), 1)
    assert body["type"] == first.event_type == "resource.task.created.v1"
    assert body["timestamp"].endswith("Z")
    assert body["data"] == json.loads(fact.model_dump_json(exclude={"participants"}))


async def test_one_receiver_for_two_users_gets_two_ids(create, receiver, happen, ada, bobs, bob, rows, hooks):
    """It passes over ids that it knows, and the body says nothing of whose it is."""
    await create(receiver.url)
    await create(receiver.url, bobs)
    await happen("resource", created(ada, participants=[bob]))
    first, second = await rows.deliveries()
    assert (first.event_id, first.body) == (second.event_id, second.body)
    await hooks().send_due()
    assert {got.headers["webhook-id"] for got in receiver.got} == {str(first.message_id), str(second.message_id)}
    assert first.message_id != second.message_id


async def test_participants_of_a_task_are_told_and_nobody_else(create, receiver, happen, ada, bobs, bob, rows):
    mine, theirs = await create(receiver.url), await create(receiver.url, bobs)
    await happen("resource", created(ada, participants=[bob]))
    await happen("resource", created(ada))
    assert sorted(str(each.webhook_id) for each in await rows.deliveries()) == sorted(
        [mine["id"], mine["id"], theirs["id"]]
    )


@pytest.mark.parametrize(
    "fact",
    [
        lambda owner, other: share(resource.TaskShared, owner, other, role="viewer", shared_at=now()),
        lambda owner, other: share(resource.TaskUnshared, owner, other, unshared_at=now()),
    ],
)
async def test_a_share_is_told_to_whom_it_is_with_and_not_to_who_shares(
    create, receiver, happen, ada, bobs, bob, rows, fact
):
    """Who shares names an address: their webhook would say whether it has an account, and whose."""
    await create(receiver.url)
    theirs = await create(receiver.url, bobs)
    await happen("resource", fact(ada, bob))
    assert str((await rows.one()).webhook_id) == theirs["id"]


async def test_facts_that_people_need_not_read_are_told_too(create, receiver, happen, ada, rows):
    await create(receiver.url)
    connection = {"connection_id": new_id(), "user_id": ada, "provider": "sandbox", "provider_name": "Sandbox"}
    facts = [
        ("resource", resource.MomentLogged(
            moment_id=new_id(), activity_id=new_id(), user_id=ada, occurred_at=now(), logged_at=now())),
        ("provider-sync", provider_sync.TransactionsChanged(
            **connection, added=1, changed=0, removed=0, transaction_ids=[new_id()])),
        ("resource", resource.TaskUpdated(
            task_id=new_id(), user_id=ada, title="T", changed=["tags"], updated_at=now(), quiet=True)),
        ("auth", auth.UserUpdated(user_id=ada, locale="de", timezone="UTC", roles=["user"])),
    ]  # fmt: skip
    for service, fact in facts:
        await happen(service, fact)
    assert [each.event_type for each in await rows.deliveries()] == [fact.type for _, fact in facts]


async def test_what_an_administrator_wrote_stays_inside(create, receiver, happen, ada, rows):
    await create(receiver.url)
    await happen("auth", auth.UserBlocked(user_id=ada, until=None, reason="Suspected of spam", blocked_at=now()))
    delivery = await rows.one()
    assert delivery.event_type == "auth.user.blocked.v1"
    assert "spam" not in delivery.body


async def test_the_channel_can_be_switched_off_for_a_type(create, receiver, happen, ada, me, client, rows):
    await create(receiver.url)
    path = "/api/v1/notification-preferences"
    chosen = (await client.get(path, headers=me)).json()
    del chosen["timezone"]
    chosen["types"]["TASK_CREATED"]["webhook"] = False
    answer = await client.put(path, json=chosen, headers=me)
    assert answer.status_code == 200, answer.text
    await happen("resource", created(ada))
    assert await rows.deliveries() == []
    done = resource.TaskCompleted(task_id=new_id(), user_id=ada, title="T", completed_at=now())
    await happen("resource", done)
    assert (await rows.one()).event_type == "resource.task.completed.v1"


async def test_disabled_webhooks_and_deleted_users_get_nothing(create, receiver, happen, ada, rows):
    await create(receiver.url)
    await rows.change(Webhook, status="disabled")
    await happen("resource", created(ada))
    assert await rows.deliveries() == []
    await rows.change(Webhook, status="active")
    await happen("resource", created(ada))
    assert len(await rows.deliveries()) == 1
    await happen("auth", auth.UserDeleted(user_id=ada, deleted_at=now()))
    await happen("resource", created(ada))
    assert await rows.deliveries() == []


async def test_a_fact_and_the_deletion_in_one_transaction(create, receiver, resources, ada, rows):
    await create(receiver.url)
    works = [
        handlers(resources).parse(outbox_event(service, fact, sequence=1).body)
        for service, fact in (
            ("resource", created(ada)),
            ("auth", auth.UserDeleted(user_id=ada, deleted_at=now())),
            ("resource", created(ada)),
        )
    ]
    assert len(await resources.inbox.apply(works)) == 3
    assert await rows.deliveries() == []


async def test_the_deletion_while_facts_arrive_and_tries_end(
    create, receiver, resources, hooks, happen, ada, rows, configure
):
    """They lock the same rows: nobody waits in a circle, and nothing is left."""
    configure(concurrency=8)
    await create(receiver.url)
    for _ in range(40):
        await happen("resource", created(ada))
    sending = asyncio.create_task(hooks().send_due())
    await receiver.have(5)

    async def facts() -> None:
        for _ in range(10):
            await happen("resource", created(ada))

    await asyncio.gather(happen("auth", auth.UserDeleted(user_id=ada, deleted_at=now())), *(facts() for _ in range(3)))
    await sending
    assert await rows.deliveries() == []


async def test_a_fact_comes_twice_and_is_queued_once(create, receiver, resources, ada, rows):
    await create(receiver.url)
    body = outbox_event("resource", created(ada), sequence=1).body
    for _ in range(2):
        await resources.inbox.apply([handlers(resources).parse(body)])
    assert len(await rows.deliveries()) == 1


async def test_users_without_webhooks_cost_no_query_more(resources, happen, ada):
    statements: list[str] = []

    def count(_c, _cur, statement, *_):
        statements.append(statement)

    sql_event.listen(resources.engine.sync_engine, "before_cursor_execute", count)
    try:
        await happen("resource", created(ada))
    finally:
        sql_event.remove(resources.engine.sync_engine, "before_cursor_execute", count)
    assert ["EXISTS (SELECT webhooks.id" in each for each in statements if "webhook" in each] == [True]  # the recipient


async def test_the_sender_is_woken_only_when_there_is_something_to_send(create, receiver, resources, happen, ada):
    queue = resources.webhook_queue
    queue.due.clear()
    await happen("resource", created(ada))
    assert not queue.due.is_set()
    await create(receiver.url)
    await happen("resource", created(ada))
    assert queue.due.is_set()


async def test_queueing_does_not_wait_for_a_sender_that_holds_the_webhook(
    create, receiver, queue, resources, happen, ada
):
    """For which something is due already: there is nothing to write."""
    await queue(await create(receiver.url), ["a"])
    async with resources.sessions.begin() as session:
        held = select(Webhook).with_for_update(key_share=True)
        assert len((await session.scalars(held)).all()) == 1
        await happen("resource", created(ada))
        assert len((await session.scalars(select(WebhookDelivery))).all()) == 2
