"""How much may wait for an endpoint, and that all of it ends when the webhook is disabled."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from grove.contracts.auth import UserRegistered
from grove.core.clock import now
from grove.outbox.postgres import OutboxRow
from grove_notification.models import Mail, Webhook
from grove_notification.webhooks.deliveries import backlog as module
from grove_notification.webhooks.deliveries.backlog import Backlog

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
