"""Who mended their endpoint waits for no pause; who wants one delivery no more gets past it."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from grove.core.clock import now, rfc3339
from grove.core.ids import new_id
from grove_notification.models import Webhook, WebhookDelivery

pytestmark = pytest.mark.integration
URL = "/api/v1/webhooks"
GUARD = 30


def titles(receiver) -> list[str]:
    return [json.loads(got.body)["title"] for got in receiver.got]


@pytest.fixture
async def stuck(create, receiver, queue, hooks) -> dict:
    """An ordered webhook whose first delivery waits for a day, as its endpoint asked, and whose second is behind it."""
    webhook = await create(receiver.url, ordered=True)
    receiver.answers_first(status=429, headers={"Retry-After": "86400"})
    await queue(webhook, ["a", "b"])
    sender = hooks()
    assert await sender.send_due() == 1
    assert await sender.send_due() == 0
    return webhook


async def test_when_it_wants_something_again_is_shown(stuck, client, me, rows):
    shown = await client.get(f"{URL}/{stuck['id']}", headers=me)
    assert shown.json()["resume_at"] == rfc3339((await rows.webhook()).resume_at)
    before = await client.get(f"{URL}/{stuck['id']}", headers=me | {"If-None-Match": '"1"'})
    assert before.status_code == 200


async def test_who_asks_to_wait_longer_has_another_etag(create, receiver, queue, hooks, rows, client, me):
    webhook = await create(receiver.url)
    await queue(webhook, ["a"])
    tags = []
    for seconds in (3600, 7200):
        receiver.answers_first(status=429, headers={"Retry-After": str(seconds)})
        await rows.change(WebhookDelivery, next_attempt_at=now())
        await rows.change(Webhook, resume_at=None)
        await hooks().send_due()
        tags.append((await client.get(f"{URL}/{webhook['id']}", headers=me)).headers["etag"])
    assert len(set(tags)) == 2


@pytest.mark.parametrize("change", [{"status": "active"}, {"url": "&new=1"}])
async def test_active_or_another_url_makes_all_that_waits_due(stuck, client, me, hooks, receiver, change):
    """Active it was already."""
    if "url" in change:
        change = {"url": receiver.url + change["url"]}
    answer = await client.patch(f"{URL}/{stuck['id']}", json=change, headers=me)
    assert answer.json()["resume_at"] is None
    assert answer.headers["etag"]
    assert await hooks().send_due() == 2
    assert titles(receiver) == ["a", "a", "b"]


async def test_what_is_under_way_is_left_to_who_has_it(create, receiver, queue, hooks, client, me, rows):
    webhook = await create(receiver.url)
    receiver.answers(after=asyncio.Event())
    await queue(webhook, ["a"])
    [trying] = await hooks().start_due()
    await receiver.have(1)
    taken = await rows.one()
    assert (await client.patch(f"{URL}/{webhook['id']}", json={"status": "active"}, headers=me)).status_code == 200
    path = f"{URL}/{webhook['id']}/deliveries/{taken.id}"
    for action in ("redeliver", "skip"):
        answer = await client.post(f"{path}/{action}", headers=me)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_STATE")
    shown = (await client.get(path, headers=me)).json()
    assert (shown["status"], shown["next_attempt_at"]) == ("pending", None)
    assert (await rows.one()).leased_until == taken.leased_until
    receiver.reply.after.set()
    await asyncio.wait([trying])
    assert (await rows.one()).status == "delivered"


async def test_one_that_waits_is_sent_now_without_its_pause(create, receiver, queue, hooks, client, me, rows):
    webhook = await create(receiver.url)
    await queue(webhook, ["a"], attempts=3, next_attempt_at=now() + timedelta(hours=5))
    path = f"{URL}/{webhook['id']}/deliveries/{(await rows.one()).id}"
    sender = hooks()
    assert await sender.send_due() == 0
    answer = await client.post(f"{path}/redeliver", headers=me)
    assert (answer.status_code, answer.json()["status"], answer.json()["attempts"]) == (202, "pending", 3)
    assert await sender.send_due() == 1
    assert (await client.post(f"{path}/redeliver", headers=me)).json()["attempts"] == 0, "it has ended: it begins anew"


async def test_one_whose_worker_died_can_be_sent_now(create, receiver, queue, hooks, client, me, rows):
    webhook = await create(receiver.url)
    past = now() - timedelta(seconds=1)
    await queue(webhook, ["a"], leased_until=past, next_attempt_at=past)
    path = f"{URL}/{webhook['id']}/deliveries/{(await rows.one()).id}"
    assert (await client.post(f"{path}/redeliver", headers=me)).status_code == 202
    assert (await rows.one()).leased_until is None, "who comes late writes nothing"
    assert await hooks().send_due() == 1


async def test_an_ordered_webhook_goes_on_behind_what_is_skipped(stuck, client, me, hooks, receiver, rows):
    first, _ = await rows.deliveries()
    await rows.change(Webhook, resume_at=None)
    path = f"{URL}/{stuck['id']}/deliveries/{first.id}"
    answer = await client.post(f"{path}/skip", headers=me)
    skipped = answer.json()
    assert (answer.status_code, skipped["status"], skipped["error"]) == (200, "failed", "It was skipped by its user.")
    assert skipped["finished_at"] is not None
    assert await hooks().send_due() == 1
    assert titles(receiver) == ["a", "b"]
    again = await client.post(f"{path}/skip", headers=me)
    assert (again.status_code, again.json()["error"]["message"]) == (400, "The delivery has ended already.")
    assert (await client.post(f"{path}/redeliver", headers=me)).status_code == 202, "it can be sent after all"


async def test_others_deliveries_can_not_be_skipped(stuck, client, issuer, rows):
    path = f"{URL}/{stuck['id']}/deliveries/{(await rows.deliveries())[0].id}/skip"
    assert (await client.post(path, headers=issuer.headers(new_id()))).status_code == 404


async def test_an_ordered_webhook_that_is_no_more_sends_all_that_is_due(stuck, client, me, hooks, receiver, rows):
    await rows.change(Webhook, resume_at=None, due_at=now() + timedelta(days=1))
    await client.patch(f"{URL}/{stuck['id']}", json={"ordered": False}, headers=me)
    assert await hooks().send_due() == 1
    assert titles(receiver) == ["a", "b"]


async def test_a_webhook_that_is_held_holds_up_no_end_of_anothers(
    create, receivers, hooks, queue, rows, resources, blocked
):
    """More of its tries end than connections are for that; all but one wait without one."""
    bad, good = await receivers(), await receivers()
    bad.answers(status=500, after=asyncio.Event())
    good.answers(after=asyncio.Event())
    webhook, other = await create(bad.url), await create(good.url)
    await queue(webhook, list("abcd"))
    await queue(other, ["x"])
    await rows.change(Webhook, proven=True)
    sender = hooks()
    started = await sender.start_due()
    assert len(started) == 5
    await bad.have(4)
    await good.have(1)
    async with resources.sessions.begin() as session, asyncio.timeout(GUARD):
        await session.scalar(select(Webhook).where(Webhook.id == webhook["id"]).with_for_update(key_share=True))
        bad.reply.after.set()
        while bad.under_way:
            await asyncio.sleep(0.01)
        waiting = {await blocked()}
        good.reply.after.set()
        while not await rows.deliveries(WebhookDelivery.status == "delivered"):
            waiting.add(await blocked())
        assert waiting == {1}
    await asyncio.wait(started)
    assert {each.status for each in await rows.deliveries(WebhookDelivery.webhook_id == webhook["id"])} == {"pending"}
