"""How much may wait for an endpoint, and that all of it ends when the webhook is disabled."""

import asyncio
import json
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, update

from grove.contracts.auth import UserRegistered
from grove.contracts.event import Envelope
from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.handlers import Received
from grove.outbox.event import outbox_event
from grove.outbox.postgres import OutboxRow
from grove_notification.models import Mail, Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries import backlog as module
from grove_notification.webhooks.deliveries.backlog import Backlog
from grove_notification.webhooks.deliveries.queue import write

pytestmark = pytest.mark.integration
LATER = {"next_attempt_at": now() + timedelta(hours=1)}


@pytest.fixture
def backlog(resources) -> Backlog:
    return Backlog(resources.sessions, resources.mail_queue, most=3)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr("grove_notification.webhooks.disabling.AT_ONCE", 2)


async def test_a_webhook_for_which_too_much_waits_is_disabled_and_all_of_it_ends(
    create, receiver, queue, backlog, rows, resources, happen, ada
):
    fact = UserRegistered(user_id=ada, email="ada@example.com", name="Ada", locale="de", timezone="UTC",
                          roles=["user"], registered_at=now())  # fmt: skip
    await happen("auth", fact)
    flooded, other = await create(receiver.url), await create(receiver.url)
    await queue(flooded, ["a", "b", "c"], **LATER)
    await queue(other, ["a", "b"], **LATER)
    assert await backlog.look() == 0
    await queue(flooded, ["d", "e"], **LATER)
    assert await backlog.look() == 1
    assert await backlog.look() == 0
    found = {(str(each.webhook_id), each.status) for each in await rows.deliveries()}
    assert found == {(flooded["id"], "failed"), (other["id"], "pending")}
    async with resources.sessions() as session:
        left = await session.get_one(Webhook, flooded["id"])
        assert (await session.get_one(Webhook, other["id"])).status == "active"
        [mail] = (await session.scalars(select(Mail).where(Mail.template == "webhook_disabled"))).all()
        [event] = (await session.scalars(select(OutboxRow).where(OutboxRow.type.contains("webhook")))).all()
    assert (left.status, left.disabled_reason) == ("disabled", "More than 3 deliveries waited for the endpoint.")
    content = json.loads(resources.mail_cipher.open(mail.sealed, purpose=f"mail:{mail.id}"))
    assert content["variables"]["reason"] == "Mehr als 3 Zustellungen haben auf den Endpunkt gewartet."
    assert json.loads(event.body)["data"]["reason"] == left.disabled_reason


async def test_it_is_looked_for_by_itself(create, receiver, queue, backlog, rows, monkeypatch):
    monkeypatch.setattr(module, "INTERVAL_SECONDS", 0.01)
    await queue(await create(receiver.url), ["a", "b", "c", "d"], **LATER)
    running = asyncio.create_task(backlog.run())
    async with asyncio.timeout(30):
        while (await rows.webhook()).status == "active":
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])


async def test_all_that_waited_ends_with_disabling_and_does_not_come_back(
    create, receiver, queue, client, me, rows, hooks
):
    webhook = await create(receiver.url)
    await queue(webhook, list("abcde"))
    path = f"/api/v1/webhooks/{webhook['id']}"
    for status in ("disabled", "active"):
        assert (await client.patch(path, json={"status": status}, headers=me)).status_code == 200
    assert {each.status for each in await rows.deliveries()} == {"failed"}
    assert await hooks().send_due() == 0
    assert receiver.got == []


async def disable(rows, *webhooks: dict) -> None:
    async with rows._sessions.begin() as session:
        ids = [webhook["id"] for webhook in webhooks]
        await session.execute(update(Webhook).where(Webhook.id.in_(ids)).values(status="disabled"))


async def test_what_waits_for_a_disabled_webhook_ends(create, receiver, queue, backlog, rows):
    webhook, active = await create(receiver.url), await create(receiver.url)
    await queue(webhook, list("abcde"))
    await queue(active, ["a"])
    await disable(rows, webhook)
    assert await backlog.end_of_disabled() == 5
    assert sorted(each.status for each in await rows.deliveries()) == [*["failed"] * 5, "pending"]


@pytest.mark.parametrize("free", [0, 1, 2])
async def test_one_that_is_under_way_stops_no_end_of_others(create, receiver, queue, backlog, rows, free):
    """Of two of three disabled webhooks a try was just begun."""
    later, expected = now() + timedelta(minutes=1), {}
    for number in range(3):
        webhook = await create(receiver.url)
        leased = {} if number == free else {"leased_until": later}
        await queue(webhook, ["a"], next_attempt_at=later, **leased)
        expected[webhook["id"]] = "failed" if number == free else "pending"
    await rows.change(Webhook, status="disabled")
    assert await backlog.end_of_disabled() == 1
    assert {str(each.webhook_id): each.status for each in await rows.deliveries()} == expected


async def test_disabling_ends_some_at_once_and_the_backlog_the_others(
    create, receiver, queue, client, me, rows, backlog
):
    """Ten thousand would take seconds, and facts of their user would wait as long."""
    webhook = await create(receiver.url)
    await queue(webhook, list("abcde"))
    path = f"/api/v1/webhooks/{webhook['id']}"
    assert (await client.patch(path, json={"status": "disabled"}, headers=me)).status_code == 200
    assert len(await rows.deliveries(WebhookDelivery.status == "failed")) == 2
    await backlog.look()
    assert len(await rows.deliveries(WebhookDelivery.status == "failed")) == 5


async def test_facts_are_queued_while_disabled_ones_end(create, receiver, queue, rows, resources):
    webhook = await create(receiver.url)
    await queue(webhook, ["a"])
    await disable(rows, webhook)
    async with resources.sessions.begin() as session:  # as somebody does who is queueing
        await session.scalar(select(Webhook.id).with_for_update(read=True, key_share=True))
        assert await Backlog(resources.sessions, resources.mail_queue, most=3).end_of_disabled() == 1


async def test_a_fact_that_was_being_queued_while_it_was_disabled_does_not_come_back(
    create, receiver, resources, ada, client, me, hooks, blocked, queue
):
    """Who queues does not hold a webhook for which something is due already: nobody waits for them but who enables."""
    webhook = await create(receiver.url)
    await queue(webhook, ["due"])
    path = f"/api/v1/webhooks/{webhook['id']}"
    fact = TaskCreated(task_id=new_id(), user_id=ada, title="T", created_at=now())
    envelope = Envelope.model_validate_json(outbox_event("resource", fact, sequence=1).body)
    async with resources.sessions.begin() as session:
        resources.webhook_queue.collect(session, Received(envelope, fact), ada)
        await write(session)
        assert (await client.patch(path, json={"status": "disabled"}, headers=me)).status_code == 200
        enabling = asyncio.create_task(client.patch(path, json={"status": "active"}, headers=me))
        await blocked()
    assert (await enabling).json()["status"] == "active"
    assert await hooks().send_due() == 0
    assert receiver.got == []


async def test_what_waits_is_counted(create, receiver, queue, backlog):
    await queue(await create(receiver.url), ["a", "b", "c"], **LATER)
    await backlog.look()
    assert REGISTRY.get_sample_value("grove_webhook_waiting") == 3
