"""What is kept of deliveries and for how long; secrets under the newest key."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.encryption import FieldCipher, new_key
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.cleaning import WebhookCleaning
from grove_notification.webhooks.sealing import open_keys

pytestmark = pytest.mark.integration


@pytest.fixture
def cleaning(resources) -> WebhookCleaning:
    return WebhookCleaning(resources.sessions, resources.webhook_cipher, days=30)


@pytest.fixture
def add(resources, ada):
    async def add(webhook: dict, **fields) -> None:
        row = {
            "id": new_id(),
            "webhook_id": webhook["id"],
            "user_id": ada,
            "event_id": new_id(),
            "message_id": new_id(),
            "event_type": "resource.task.created.v1",
            "body": "{}",
            "attempts": 1,
            "created_at": now() - timedelta(days=40),
        } | fields
        async with resources.sessions.begin() as session:
            session.add(WebhookDelivery(**row))

    return add


async def test_ended_deliveries_are_kept_for_some_days_and_others_until_they_end(
    create, receiver, add, cleaning, rows, monkeypatch
):
    monkeypatch.setattr("grove_notification.webhooks.cleaning.AT_ONCE", 2)
    webhook = await create(receiver.url)
    for status in ("delivered", "failed"):
        for days in (29, 31, 31, 31):
            await add(webhook, status=status, finished_at=now() - timedelta(days=days))
    await add(webhook, status="pending", next_attempt_at=now())
    await cleaning.clean()
    assert sorted(each.status for each in await rows.deliveries()) == ["delivered", "failed", "pending"]


async def test_a_deleted_webhook_is_there_for_nobody_and_goes_after_its_deliveries(
    create, receiver, add, cleaning, rows, client, me, happen, ada, monkeypatch
):
    monkeypatch.setattr("grove_notification.webhooks.cleaning.AT_ONCE", 2)
    gone, stays = await create(receiver.url), await create(receiver.url)
    for webhook in (gone, gone, gone, gone, gone, stays):
        await add(webhook, status="delivered", finished_at=now())
    await add(gone, status="pending", next_attempt_at=now())
    [delivery, *_] = await rows.deliveries(WebhookDelivery.webhook_id == gone["id"])
    path = f"/api/v1/webhooks/{gone['id']}"
    assert (await client.delete(path, headers=me)).status_code == 204
    for method, rest in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/rotate-secret"),
        ("GET", "/deliveries"),
        ("GET", f"/deliveries/{delivery.id}"),
        ("POST", f"/deliveries/{delivery.id}/redeliver"),
    ):
        assert (await client.request(method, path + rest, headers=me)).status_code == 404, (method, rest)
    assert [each["id"] for each in (await client.get("/api/v1/webhooks", headers=me)).json()["items"]] == [stays["id"]]
    async with rows._sessions() as session:
        [left] = (await session.scalars(select(Webhook).where(Webhook.status == "deleted"))).all()
    assert (left.url, left.secrets) == ("", "")
    await cleaning.clean()
    assert [str(each.webhook_id) for each in await rows.deliveries()] == [stays["id"]]
    assert str((await rows.webhook()).id) == stays["id"]


async def test_a_deleted_webhook_is_no_longer_counted(client, me, receiver, create):
    made = [await create(receiver.url) for _ in range(20)]
    body = {"url": receiver.url, "event_types": ["*"]}
    assert (await client.post("/api/v1/webhooks", json=body, headers=me)).status_code == 422
    await client.delete(f"/api/v1/webhooks/{made[0]['id']}", headers=me)
    assert (await client.post("/api/v1/webhooks", json=body, headers=me)).status_code == 201


async def test_secrets_move_to_the_newest_key(create, receiver, resources, rows, monkeypatch):
    webhook = await create(receiver.url)
    ring = resources.settings.secrets.read("webhook_key_ring")
    newer = FieldCipher(lambda: f"{new}\n{ring}")
    new = new_key("v2")
    await WebhookCleaning(resources.sessions, newer, days=30).clean()
    stored = await rows.webhook()
    alone = FieldCipher(lambda: new)
    assert open_keys(alone, stored.id, stored.secrets).secret == webhook["secret"]
    assert str(stored.version) == "1"


async def test_one_secret_that_can_not_be_opened_stops_nothing(create, receiver, resources, rows):
    await create(receiver.url)
    await rows.change(Webhook, secrets="v9.AAAA")
    await WebhookCleaning(resources.sessions, resources.webhook_cipher, days=30).clean()
    assert (await rows.webhook()).secrets == "v9.AAAA"
