"""Sending: signed, on schedule, however the endpoint behaves."""

import asyncio
import json
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, update
from standardwebhooks import Webhook as Verifier

from grove.contracts.auth import UserRegistered
from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.outbox.postgres import OutboxRow
from grove_notification.models import Mail, Webhook, WebhookDelivery

pytestmark = pytest.mark.integration
FAST = 1e-7
"""A scale by which all pauses of the schedule are over at once."""


@pytest.fixture
def task(happen, ada):
    """A fact of mine: await task("Plant")."""

    async def task(title: str = "Plant", user_id=ada) -> None:
        await happen("resource", TaskCreated(task_id=new_id(), user_id=user_id, title=title, created_at=now()))

    return task


def titles(receiver) -> list[str]:
    return [json.loads(got.body)["data"]["title"] for got in receiver.got]


async def settle(sender) -> None:
    """Send until nothing waits, pauses of a fast schedule included."""
    while await sender.send_due():
        await asyncio.sleep(0.02)


async def test_a_delivery_is_what_standard_webhooks_says(create, receiver, hooks, task, rows):
    webhook = await create(receiver.url)
    await task("Ünï “x”")
    assert await hooks().send_due() == 1
    [got] = receiver.got
    assert got.line == "POST /hook?key=1 HTTP/1.1"
    assert got.headers["host"] == receiver.place
    assert got.headers["content-type"] == "application/json"
    body = Verifier(webhook["secret"]).verify(got.body, got.headers)
    assert (body["type"], body["data"]["title"]) == ("resource.task.created.v1", "Ünï “x”")
    delivery = await rows.one()
    assert got.headers["webhook-id"] == str(delivery.event_id)
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 200)
    assert (delivery.response_excerpt, delivery.last_error, delivery.next_attempt_at) == ("ok", None, None)
    assert delivery.finished_at is not None
    assert not {"traceparent", "x-request-id", "authorization", "cookie"} & set(got.headers)


async def test_tries_are_counted(create, receiver, hooks, task):
    def counts() -> list[float]:
        names = [("grove_webhook_deliveries_total", {"outcome": outcome}) for outcome in ("delivered", "retry")]
        names.append(("grove_webhook_delivery_seconds_count", {}))
        return [REGISTRY.get_sample_value(name, labels) or 0 for name, labels in names]

    before = counts()
    await create(receiver.url)
    receiver.answers_first(status=500)
    await task()
    await task()
    await hooks().send_due()
    assert [later - earlier for earlier, later in zip(before, counts(), strict=True)] == [1, 1, 1]


async def test_500_through_the_whole_schedule(create, receiver, configure, hooks, task, rows, resources):
    configure(retry_scale=FAST, disable_days=1e9)
    webhook = await create(receiver.url)
    receiver.reply.status = 500
    await task()
    await settle(hooks())
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("failed", 8, 500)
    assert len(receiver.got) == 8
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    for got in receiver.got:
        Verifier(webhook["secret"]).verify(got.body, got.headers)
    assert (await rows.webhook()).failing_since is not None


async def test_the_schedule_is_persisted(create, receiver, hooks, task, rows):
    """Another process goes on where one ended."""
    await create(receiver.url)
    receiver.answers_first(status=500)
    await task()
    assert await hooks().send_due() == 1
    delivery = await rows.one()
    assert delivery.status == "pending"
    assert timedelta(seconds=4) < delivery.next_attempt_at - now() < timedelta(seconds=6)
    assert await hooks().send_due() == 0
    await rows.change(WebhookDelivery, next_attempt_at=now())
    assert await hooks().send_due() == 1
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts) == ("delivered", 2)
    assert (await rows.webhook()).failing_since is None


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"status": 404, "body": ""}, "The endpoint answered 404."),
        ({"status": 500, "body": "\x00broken\x1b[31m <b>" + "x" * 5000}, "The endpoint answered 500."),
    ],
)
async def test_what_it_answered_is_kept_in_part(create, receiver, hooks, task, rows, reply, error):
    await create(receiver.url)
    receiver.answers(**reply)
    await task()
    await hooks().send_due()
    delivery = await rows.one()
    assert delivery.last_error == error
    excerpt = delivery.response_excerpt
    assert excerpt is None if not reply["body"] else len(excerpt) == 1000 and excerpt.isprintable()


async def test_a_redirect_is_not_followed(create, receivers, hooks, task, rows):
    target, receiver = await receivers(), await receivers()
    await create(receiver.url)
    receiver.answers(status=307, headers={"Location": target.url})
    await task()
    await hooks().send_due()
    delivery = await rows.one()
    assert (delivery.status, delivery.response_status) == ("failed", 307)
    assert "Redirects are not followed" in delivery.last_error
    assert target.got == []


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(create, receiver, hooks, task, rows, status):
    await create(receiver.url)
    receiver.answers(status=status, headers={"Retry-After": "7200"})
    await task()
    await hooks().send_due()
    delivery = await rows.one()
    assert timedelta(minutes=119) < delivery.next_attempt_at - now() < timedelta(minutes=121)


async def test_410_disables_at_once(create, receiver, hooks, task, rows, client, me, resources, happen, ada):
    webhook = await create(receiver.url)
    await greet(happen, ada)
    receiver.reply.status = 410
    for title in "abc":
        await task(title)
    await rows.change(WebhookDelivery, next_attempt_at=now() + timedelta(hours=1))
    await rows_due_first(resources)
    await hooks().send_due()
    shown = (await client.get(f"/api/v1/webhooks/{webhook['id']}", headers=me)).json()
    assert shown["status"] == "disabled"
    assert "410" in shown["disabled_reason"]
    assert {each.status for each in await rows.deliveries()} == {"failed"}
    assert len(receiver.got) == 1
    await task("d")
    assert len(await rows.deliveries()) == 3
    await told_of_disabling(resources, webhook, 410)


async def greet(happen, user_id) -> None:
    fact = UserRegistered(user_id=user_id, email="ada@example.com", name="Ada", locale="de", timezone="Europe/Berlin",
                          roles=["user"], registered_at=now())  # fmt: skip
    await happen("auth", fact)


async def rows_due_first(resources) -> None:
    """Only the oldest delivery is due."""
    async with resources.sessions.begin() as session:
        oldest = await session.scalar(select(WebhookDelivery.id).order_by(WebhookDelivery.id).limit(1))
        await session.execute(update(WebhookDelivery).where(WebhookDelivery.id == oldest).values(next_attempt_at=now()))


async def told_of_disabling(resources, webhook, status: int) -> None:
    """Its owner by mail, operators by an event that does not name the whole URL."""
    async with resources.sessions() as session:
        mails = (await session.scalars(select(Mail).where(Mail.template == "webhook_disabled"))).all()
        events = (await session.scalars(select(OutboxRow).where(OutboxRow.type.contains("webhook")))).all()
    [mail], [event] = mails, events
    content = json.loads(resources.mail_cipher.open(mail.sealed, purpose=f"mail:{mail.id}"))
    assert content["to"] == "ada@example.com"
    assert content["variables"] == {
        "url": webhook["url"],
        "reason": f"Der Endpunkt hat mit {status} geantwortet.",
    }
    assert event.type == "notification.webhook.disabled.v1"
    fact = json.loads(event.body)["data"]
    assert (fact["webhook_id"], fact["host"]) == (webhook["id"], "127.0.0.1")
    assert b"key=1" not in event.body


async def test_five_days_of_failure_disable_it(create, receiver, hooks, task, rows, resources, happen, ada):
    webhook = await create(receiver.url)
    await greet(happen, ada)
    receiver.reply.status = 500
    await task()
    sender = hooks()
    await sender.send_due()
    await rows.change(Webhook, failing_since=now() - timedelta(days=4, hours=23))
    await rows.change(WebhookDelivery, next_attempt_at=now())
    await sender.send_due()
    assert (await rows.webhook()).status == "active"
    await rows.change(Webhook, failing_since=now() - timedelta(days=5, seconds=1))
    await rows.change(WebhookDelivery, next_attempt_at=now())
    await sender.send_due()
    assert (await rows.webhook()).status == "disabled"
    assert "took nothing since" in (await rows.webhook()).disabled_reason
    await told_of_disabling(resources, webhook, 500)


async def test_one_success_begins_the_days_anew(create, receiver, hooks, task, rows):
    await create(receiver.url)
    await rows.change(Webhook, failing_since=now() - timedelta(days=6))
    await task()
    sender = hooks()
    await sender.send_due()
    assert (await rows.webhook()).failing_since is None
    receiver.reply.status = 500
    await task()
    await sender.send_due()
    assert (await rows.webhook()).status == "active"


async def test_an_endpoint_that_does_not_answer(create, receiver, configure, hooks, task, rows):
    configure(seconds=0.2)
    await create(receiver.url)
    receiver.reply.after = asyncio.Event()
    await task()
    await hooks().send_due()
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("pending", 1, None)
    assert delivery.last_error == "There was no answer within 0.2 s."


async def test_a_body_without_end_does_not_undo_the_status(create, receiver, hooks, task, rows, monkeypatch):
    monkeypatch.setattr("grove_notification.webhooks.calling.BODY_SECONDS", 0.2)
    await create(receiver.url)
    receiver.reply.drip = True
    await task()
    await hooks().send_due()
    delivery = await rows.one()
    assert delivery.status == "delivered"
    assert delivery.response_excerpt.startswith("ok")


async def test_nobody_listens(create, receiver, hooks, task, rows):
    await create(receiver.url)
    await receiver.stop()
    await task()
    await hooks().send_due()
    delivery = await rows.one()
    assert delivery.status == "pending"
    assert delivery.last_error.startswith("There was no answer: ")


async def test_a_try_whose_process_died_is_made_again_and_not_counted(create, receiver, hooks, task, rows):
    await create(receiver.url)
    receiver.reply.after = asyncio.Event()
    await task()
    killed = hooks()
    [trying] = await killed.start_due()
    await receiver.have(1)
    trying.cancel()
    await asyncio.wait([trying])
    receiver.reply.after.set()
    assert await hooks().send_due() == 0  # it may still be under way, for all that anybody knows
    await rows.change(WebhookDelivery, leased_until=now(), next_attempt_at=now())
    assert await hooks().send_due() == 1
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts) == ("delivered", 1)
    assert receiver.got[0].headers["webhook-id"] == receiver.got[1].headers["webhook-id"]


async def test_who_lost_the_lease_writes_nothing(create, receiver, hooks, task, rows):
    """A process that was asleep wakes up, and another has sent what it claimed."""
    await create(receiver.url)
    first = receiver.answers_first(status=500, after=asyncio.Event())
    await task()
    [asleep] = await hooks().start_due()
    await receiver.have(1)
    await rows.change(WebhookDelivery, leased_until=now(), next_attempt_at=now())
    assert await hooks().send_due() == 1
    first.after.set()
    await asyncio.wait([asleep])
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 200)


async def test_a_secret_that_can_not_be_read_fails_as_an_answer_would(create, receiver, hooks, task, rows):
    await create(receiver.url)
    await rows.change(Webhook, secrets="v9.AAAA")
    await task()
    await hooks().send_due()
    delivery = await rows.one()
    assert "could not read the webhook's secret" in delivery.last_error
    assert receiver.got == []


async def test_disabling_while_a_try_is_under_way_makes_its_failure_final(
    create, receiver, hooks, task, rows, client, me
):
    webhook = await create(receiver.url)
    receiver.answers(status=500, after=asyncio.Event())
    await task()
    [trying] = await hooks().start_due()
    await receiver.have(1)
    path = f"/api/v1/webhooks/{webhook['id']}"
    assert (await client.patch(path, json={"status": "disabled"}, headers=me)).status_code == 200
    assert (await rows.one()).status == "pending"
    receiver.reply.after.set()
    await asyncio.wait([trying])
    delivery = await rows.one()
    assert (delivery.status, delivery.last_error) == ("failed", "The webhook was disabled.")


async def test_deleting_while_a_try_is_under_way(create, receiver, hooks, task, rows, client, me):
    webhook = await create(receiver.url)
    receiver.answers(status=500, after=asyncio.Event())
    await task()
    [trying] = await hooks().start_due()
    await receiver.have(1)
    assert (await client.delete(f"/api/v1/webhooks/{webhook['id']}", headers=me)).status_code == 204
    receiver.reply.after.set()
    await asyncio.wait([trying])
    assert trying.exception() is None
    assert (await rows.one()).status == "failed"


async def test_running_is_woken_by_a_fact_and_finishes_what_is_under_way(create, receiver, hooks, task, rows):
    await create(receiver.url)
    receiver.reply.after = asyncio.Event()
    running = asyncio.create_task(hooks().run())
    await task()
    await receiver.have(1)
    running.cancel()
    await asyncio.wait([running], timeout=0.2)
    assert not running.done()
    receiver.reply.after.set()
    await asyncio.wait([running])
    assert (await rows.one()).status == "delivered"
