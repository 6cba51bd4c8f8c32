"""When a webhook is disabled, and who is told."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from grove.contracts.auth import UserRegistered
from grove.core.clock import now
from grove.outbox.postgres import OutboxRow
from grove_notification.models import Mail, Webhook, WebhookDelivery
from grove_notification.settings import WebhookSettings

pytestmark = pytest.mark.integration


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
        "host": "127.0.0.1",
        "reason": f"Der Endpunkt hat mit {status} geantwortet.",
    }
    assert event.type == "notification.webhook.disabled.v1"
    fact = json.loads(event.body)["data"]
    assert (fact["webhook_id"], fact["host"]) == (webhook["id"], "127.0.0.1")
    assert b"key=1" not in event.body


LAST = len(WebhookSettings.model_fields["webhook_retry_seconds"].default)
"""Tries after which one is left."""


async def test_five_days_of_failure_disable_it(create, receiver, hooks, task, rows, resources, happen, ada):
    webhook = await create(receiver.url)
    await greet(happen, ada)
    receiver.reply.status = 500
    await task()
    sender = hooks()
    await sender.send_due()
    await rows.change(Webhook, failing_since=now() - timedelta(days=5, seconds=1))
    await rows.change(WebhookDelivery, next_attempt_at=now())
    await sender.send_due()
    assert (await rows.webhook()).status == "active", "the delivery has tries left"
    await rows.change(Webhook, failing_since=now() - timedelta(days=4, hours=23))
    await rows.change(WebhookDelivery, attempts=LAST, next_attempt_at=now())
    await sender.send_due()
    assert (await rows.one()).status == "failed"
    assert (await rows.webhook()).status == "active", "for less than five days"
    await rows.change(Webhook, failing_since=now() - timedelta(days=5, seconds=1))
    await rows.change(WebhookDelivery, status="pending", attempts=LAST, next_attempt_at=now(), finished_at=None)
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


async def test_an_endpoint_that_gets_little_is_not_disabled_by_one_failure(create, receiver, hooks, task, rows):
    """What failed days ago was the last that it got: since then nothing was asked of it."""
    await create(receiver.url)
    await rows.change(Webhook, proven=True, failing_since=now() - timedelta(days=6))
    receiver.answers_first(status=503)
    await task()
    sender = hooks()
    await sender.send_due()
    assert ((await rows.webhook()).status, (await rows.one()).status) == ("active", "pending")
    await rows.change(WebhookDelivery, next_attempt_at=now())
    await sender.send_due()
    assert (await rows.webhook()).failing_since is None


@pytest.mark.parametrize("answer", [{"status": 410}, {"status": 503, "headers": {"Retry-After": "3600"}}])
async def test_what_a_former_url_answers_is_not_the_new_ones_fault(
    create, receivers, hooks, task, rows, client, me, answer
):
    old, new = await receivers(), await receivers()
    webhook = await create(old.url)
    await rows.change(Webhook, failing_since=now() - timedelta(days=6), slow_until=now() + timedelta(hours=1),
                      resume_at=now(), proven=True)  # fmt: skip
    old.answers(**answer, after=asyncio.Event())
    await task()
    await rows.change(WebhookDelivery, attempts=LAST)
    sender = hooks()
    [trying] = await sender.start_due()
    await old.have(1)
    changed = await client.patch(f"/api/v1/webhooks/{webhook['id']}", json={"url": new.url}, headers=me)
    assert (changed.json()["url"], changed.json()["failing_since"]) == (new.url, None)
    old.reply.after.set()
    await asyncio.wait([trying])
    left = await rows.webhook()
    assert (left.status, left.failing_since, left.slow_until, left.resume_at, left.proven) == (
        "active", None, None, None, False)  # fmt: skip
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts) == ("pending", LAST + 1)
    await sender.send_due()
    assert ((await rows.one()).status, len(new.got)) == ("delivered", 1)


async def test_what_a_former_url_took_proves_nothing_of_the_new_one(create, receivers, hooks, task, rows, client, me):
    old, new = await receivers(), await receivers()
    webhook = await create(old.url)
    old.answers(after=asyncio.Event())
    await task()
    [trying] = await hooks().start_due()
    await old.have(1)
    await client.patch(f"/api/v1/webhooks/{webhook['id']}", json={"url": new.url}, headers=me)
    old.reply.after.set()
    await asyncio.wait([trying])
    assert ((await rows.one()).status, (await rows.webhook()).proven) == ("delivered", False)


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
