"""Sending: signed, on schedule, however the endpoint behaves."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from standardwebhooks import Webhook as Verifier

from grove.core.clock import now
from grove_notification.models import Webhook, WebhookDelivery
from grove_notification.webhooks.deliveries.calling import Caller
from grove_notification.webhooks.deliveries.recording import Recorder

pytestmark = pytest.mark.integration
FAST = 1e-7
"""A scale by which all pauses of the schedule are over at once."""


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
    assert got.headers["webhook-id"] == str(delivery.message_id)
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
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("pending", 1, 307)
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


async def test_retry_after_is_for_all_that_waits_for_the_endpoint(create, receiver, hooks, task, rows, client, me):
    webhook = await create(receiver.url)
    receiver.answers(status=429, headers={"Retry-After": "3600"})
    for title in "abc":
        await task(title)
    sender = hooks()
    assert await sender.send_due() == 1
    resume = (await rows.webhook()).resume_at
    assert timedelta(minutes=59) < resume - now() < timedelta(minutes=61)
    await client.post(f"/api/v1/webhooks/{webhook['id']}/test", headers=me)
    assert await sender.send_due() == 0
    assert await sender.check() is None  # it is late for nobody
    receiver.answers(status=429, headers={"Retry-After": "1"})
    await rows.change(Webhook, resume_at=now())
    assert await sender.send_due() == 1
    assert (await rows.webhook()).resume_at > now() - timedelta(minutes=1)
    path = f"/api/v1/webhooks/{webhook['id']}"
    assert (await client.patch(path, json={"status": "active"}, headers=me)).status_code == 200
    assert (await rows.webhook()).resume_at is None  # the user says so


async def test_what_nobody_expected_is_a_failed_try(create, receiver, hooks, task, rows, monkeypatch):
    """Else the same would be tried for ever, each time a lease is over."""

    async def broken(*_: object):
        raise RuntimeError("nobody expected this")

    await create(receiver.url)
    await task()
    with monkeypatch.context() as patched:
        patched.setattr(Caller, "post", broken)
        await hooks().send_due()
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts, delivery.leased_until) == ("pending", 1, None)
    assert delivery.last_error == "Grove failed to send it."
    assert delivery.next_attempt_at > now()
    await rows.change(WebhookDelivery, next_attempt_at=now())
    monkeypatch.setattr(Recorder, "record", broken)
    receiver.answers(status=500)
    await hooks().send_due()
    delivery = await rows.one()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("pending", 2, 500)
    await rows.change(WebhookDelivery, next_attempt_at=now())
    receiver.answers(status=200)
    await hooks().send_due()
    assert (await rows.one()).status == "delivered"


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
    monkeypatch.setattr("grove_notification.webhooks.deliveries.calling.BODY_SECONDS", 0.2)
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


async def test_a_database_that_is_away_for_a_moment_makes_no_delivery_twice(
    create, receiver, hooks, task, rows, monkeypatch
):
    """How a try ended is written down when it is back."""
    record, failures = Recorder.record, [OSError("away"), OSError("away")]

    async def away_at_first(self, *arguments):
        if failures:
            raise failures.pop()
        return await record(self, *arguments)

    monkeypatch.setattr(Recorder, "record", away_at_first)
    monkeypatch.setattr("grove_notification.webhooks.deliveries.sender.AGAIN_SECONDS", 0.01)
    await create(receiver.url)
    await task()
    await hooks().send_due()
    assert ((await rows.one()).status, len(receiver.got)) == ("delivered", 1)
