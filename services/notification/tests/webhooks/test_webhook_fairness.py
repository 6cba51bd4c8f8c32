"""Many endpoints, several workers: caps, order, and one that hangs holds up nobody else."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from grove.contracts.resource import TaskCreated
from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.models import Webhook, WebhookDelivery

pytestmark = pytest.mark.integration
GUARD = 30


def titles(receiver) -> list[str]:
    return [json.loads(got.body)["title"] for got in receiver.got]


async def test_two_workers_never_try_one_twice_nor_exceed_the_cap(create, receiver, hooks, queue, configure, rows):
    configure(concurrency=3)
    webhook = await create(receiver.url)
    wanted = [f"t{number}" for number in range(60)]
    await queue(webhook, wanted)
    senders = [hooks() for _ in range(3)]
    async with asyncio.timeout(GUARD):
        while await rows.deliveries(WebhookDelivery.status == "pending"):
            await asyncio.gather(*(sender.send_due() for sender in senders))
    assert sorted(titles(receiver)) == sorted(wanted)
    assert receiver.most_at_once <= 3
    assert {each.attempts for each in await rows.deliveries()} == {1}


async def test_claims_of_two_workers_together_stay_within_the_cap(create, receiver, hooks, queue, configure, rows):
    """All hang, so that what is under way stays so."""
    configure(concurrency=3)
    receiver.answers(after=asyncio.Event())
    await queue(await create(receiver.url), [str(number) for number in range(20)])
    await rows.change(Webhook, proven=True)
    senders = [hooks() for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*(sender.start_due() for sender in senders))
    assert sum(len(sender._trying) for sender in senders) == 3
    await receiver.have(3)
    receiver.reply.after.set()


async def test_hanging_endpoints_hold_up_nobody_else(create, receivers, hooks, queue, configure, rows):
    """More of them than there are slots for, each with a flood; they still hang when the healthy one has all."""
    configure(in_flight=20, concurrency=4)
    hanging = [await receivers() for _ in range(12)]
    healthy = await receivers()
    never = asyncio.Event()
    for receiver in hanging:
        receiver.answers(after=never)
        await queue(await create(receiver.url), [str(number) for number in range(30)])
    await rows.change(Webhook, failing_since=now())  # they hang for a while already
    wanted = [f"t{number}" for number in range(50)]
    await queue(await create(healthy.url), wanted)
    await rows.change(Webhook, proven=True)
    sender = hooks()
    running = asyncio.create_task(sender.run())
    await healthy.have(len(wanted))
    assert sorted(titles(healthy)) == sorted(wanted)
    assert sum(receiver.under_way for receiver in hanging) == 10  # half of the slots, one each
    assert max(receiver.most_at_once for receiver in hanging) == 1
    never.set()
    running.cancel()
    await asyncio.wait([running])


async def test_an_endpoint_that_begins_to_hang_takes_no_more_than_its_cap(
    create, receivers, hooks, queue, configure, rows
):
    configure(concurrency=4)
    hanging, healthy = await receivers(), await receivers()
    hanging.answers(after=asyncio.Event())
    await queue(await create(hanging.url), [str(number) for number in range(500)])
    wanted = [f"t{number}" for number in range(50)]
    await queue(await create(healthy.url), wanted)
    await rows.change(Webhook, proven=True)
    running = asyncio.create_task(hooks().run())
    await healthy.have(len(wanted))
    assert hanging.under_way == len(hanging.got) == 4
    hanging.reply.after.set()
    running.cancel()
    await asyncio.wait([running])


async def test_endpoints_that_took_long_get_half_of_the_slots(create, receivers, hooks, queue, configure, rows):
    """They would take everything in the end, and so fail never."""
    configure(in_flight=4, concurrency=4)
    slow, healthy = await receivers(), await receivers()
    slow.answers(after=asyncio.Event())
    await queue(await create(slow.url), [str(number) for number in range(10)])
    await rows.change(Webhook, slow_until=now() + timedelta(minutes=1), proven=True)
    await queue(await create(healthy.url), [str(number) for number in range(20)])
    await rows.change(Webhook, proven=True)
    running = asyncio.create_task(hooks().run())
    await healthy.have(20)
    await slow.have(2)
    assert slow.under_way == len(slow.got) == 2
    slow.reply.after.set()
    running.cancel()
    await asyncio.wait([running])


async def test_who_took_long_is_slow_for_a_while_though_quick_again(create, receiver, hooks, queue, rows, monkeypatch):
    webhook, sender = await create(receiver.url), hooks()
    await queue(webhook, ["quick"])
    await sender.send_due()
    assert (await rows.webhook()).slow_until is None
    with monkeypatch.context() as patched:
        patched.setattr("grove_notification.webhooks.deliveries.recording.SLOW", timedelta(0))
        await queue(webhook, ["slow"])
        await sender.send_due()
    assert (await rows.webhook()).slow_until > now() + timedelta(minutes=9)
    await queue(webhook, ["quick"])
    await sender.send_due()
    assert (await rows.webhook()).slow_until > now() + timedelta(minutes=9)
    assert len(receiver.got) == 3


async def test_a_new_endpoint_gets_one_at_a_time_until_it_took_one(create, receiver, hooks, queue, configure, rows):
    """So that many new ones which hang take few slots."""
    configure(concurrency=3)
    first, then = receiver.answers_first(after=asyncio.Event()), receiver.answers(after=asyncio.Event())
    await queue(await create(receiver.url), [str(number) for number in range(9)])
    sender = hooks()
    [trying] = await sender.start_due()
    assert await sender.start_due() == []
    first.after.set()
    await asyncio.wait([trying])
    webhook = await rows.webhook()
    assert (webhook.proven, webhook.version) == (True, 1)
    assert len(await sender.start_due()) == 3
    then.after.set()


async def test_a_flood_of_one_endpoint_hides_no_other(create, receivers, hooks, queue, configure, rows):
    """However little a worker takes at once."""
    configure(in_flight=2, concurrency=1)
    flooded, other = await receivers(), await receivers()
    flooded.answers(after=asyncio.Event())
    await queue(await create(flooded.url), [str(number) for number in range(1000)])
    await queue(await create(other.url), ["mine"])
    await rows.change(Webhook, proven=True)
    sender = hooks()
    await sender.start_due()
    await sender.start_due()
    await other.have(1)
    assert len(flooded.got) <= 1
    flooded.reply.after.set()


async def test_an_ordered_endpoint_keeps_the_order_through_failures(create, receiver, hooks, queue, configure, rows):
    configure(retry_scale=1e-7, disable_days=1e9)
    await queue(await create(receiver.url, ordered=True), ["a", "b", "c"])
    for status in (500, 200, 500, 500, 200):
        receiver.answers_first(status=status)
    senders = [hooks(), hooks()]
    async with asyncio.timeout(GUARD):
        while await rows.deliveries(WebhookDelivery.status == "pending"):
            await asyncio.gather(*(sender.send_due() for sender in senders))
    assert titles(receiver) == ["a", "a", "b", "b", "b", "c"]
    assert receiver.most_at_once == 1


async def test_an_ordered_endpoint_waits_for_the_first_however_long(create, receiver, hooks, queue, rows, resources):
    await queue(await create(receiver.url, ordered=True), ["a", "b"])
    first = (await rows.deliveries())[0]
    later = now() + timedelta(hours=1)
    async with resources.sessions.begin() as session:
        await session.execute(
            update(WebhookDelivery).where(WebhookDelivery.id == first.id).values(next_attempt_at=later)
        )
    sender = hooks()
    assert await sender.send_due() == 0
    assert await sender.check() is None  # it is late for nobody
    await rows.change(WebhookDelivery, next_attempt_at=now())
    await sender.send_due()
    assert titles(receiver) == ["a", "b"]


async def test_an_ordered_endpoint_goes_on_behind_what_failed_for_good(create, receiver, hooks, queue, rows, configure):
    configure(retry_seconds=[])
    await queue(await create(receiver.url, ordered=True), ["a", "b"])
    receiver.answers_first(status=500)
    await hooks().send_due()
    assert [each.status for each in await rows.deliveries()] == ["failed", "delivered"]
    assert titles(receiver) == ["a", "b"]


async def test_order_is_that_of_the_events(create, receiver, hooks, queue):
    webhook = await create(receiver.url, ordered=True)
    early, late = new_id(), new_id()
    await queue(webhook, ["late"], event_id=late)
    await queue(webhook, ["early"], event_id=early)
    await hooks().send_due()
    assert titles(receiver) == ["early", "late"]


async def test_what_could_be_tried_and_is_not_shows(create, receiver, hooks, queue, rows):
    webhook = await create(receiver.url)
    await rows.change(Webhook, proven=True)
    sender = hooks()
    assert await sender.check() is None
    await queue(webhook, ["a"], next_attempt_at=now() - timedelta(minutes=5))
    assert "could have been tried 3" in await sender.check()
    await sender.send_due()
    assert await sender.check() is None
    await queue(webhook, ["b"], next_attempt_at=now() - timedelta(minutes=5))
    for held_back in ({"failing_since": now()}, {"slow_until": now() + timedelta(hours=1)}, {"proven": False}):
        await rows.change(Webhook, **{"failing_since": None, "slow_until": None, "proven": True} | held_back)
        assert await sender.check() is None, "it is held back, and nobody's workers are too few"
    await rows.change(Webhook, proven=True, status="disabled")
    assert await sender.check() is None


async def test_an_end_makes_room_for_the_next_at_once(create, receiver, hooks, queue, monkeypatch):
    """Without waiting for the next look."""
    monkeypatch.setattr("grove_notification.webhooks.deliveries.sender.LOOK_SECONDS", 3600)
    await queue(await create(receiver.url, ordered=True), ["a", "b", "c"])
    running = asyncio.create_task(hooks().run())
    await receiver.have(3)
    running.cancel()
    await asyncio.wait([running])


async def test_facts_arrive_while_workers_send(create, receiver, hooks, happen, ada, rows, configure):
    """Queueing, claiming and recording lock the same rows: nobody waits in a circle, nothing is lost."""
    configure(concurrency=8)
    await create(receiver.url)
    running = [asyncio.create_task(hooks().run()) for _ in range(2)]

    async def facts(count: int) -> None:
        for _ in range(count):
            await happen("resource", TaskCreated(task_id=new_id(), user_id=ada, title="T", created_at=now()))

    await asyncio.gather(*(facts(15) for _ in range(4)))
    await receiver.have(60)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    assert [(each.status, each.attempts) for each in await rows.deliveries()] == [("delivered", 1)] * 60
