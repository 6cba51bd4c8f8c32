"""Slots are shared among users: however many endpoints one has, another's come next."""

import asyncio
from datetime import timedelta

import pytest

from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.models import Webhook

pytestmark = pytest.mark.integration
NUMBERS = [str(number) for number in range(10)]


@pytest.fixture
def bobs(issuer):
    return issuer.headers(new_id())


@pytest.fixture
async def waiting(create, receivers, queue):
    """Many endpoints of mine that do not answer yet, each with much that is due for long."""
    made = [await receivers() for _ in range(3)]
    for receiver in made:
        receiver.answers(after=asyncio.Event())
        await queue(await create(receiver.url), NUMBERS, next_attempt_at=now() - timedelta(minutes=5))
    yield made
    for receiver in made:
        receiver.reply.after.set()


async def test_what_is_free_goes_to_each_user_in_turn(create, receiver, hooks, queue, configure, rows, waiting, bobs):
    configure(in_flight=4, concurrency=4)
    await queue(await create(receiver.url, bobs), ["bob's"])
    await rows.change(Webhook, proven=True)
    assert len(await hooks().start_due()) == 4
    await receiver.have(1)


async def test_what_becomes_free_goes_to_who_has_the_least_under_way(
    create, receiver, hooks, queue, configure, rows, waiting, bobs
):
    """Endpoints that take a second each are neither slow nor failing, and would have all slots for ever."""
    configure(in_flight=4, concurrency=4)
    waiting[0].answers_first(after=(one := asyncio.Event()))
    await rows.change(Webhook, proven=True)
    sender = hooks()
    started = await sender.start_due()
    assert len(started) == 4
    await queue(await create(receiver.url, bobs), ["bob's"])
    await rows.change(Webhook, proven=True)
    assert await sender.start_due() == []
    await waiting[0].have(1)
    one.set()
    await asyncio.wait(started, return_when=asyncio.FIRST_COMPLETED)
    assert len(await sender.start_due()) == 1
    await receiver.have(1)


async def test_new_endpoints_that_hang_leave_half_of_the_slots(
    create, receiver, receivers, hooks, queue, configure, rows, bobs
):
    configure(in_flight=10)
    await queue(await create(receiver.url, bobs), ["bob's"])
    await rows.change(Webhook, proven=True)
    hanging = await receivers()
    hanging.answers(after=asyncio.Event())
    for _ in range(10):
        await queue(await create(hanging.url), ["a"], next_attempt_at=now() - timedelta(minutes=5))
    assert len(await hooks().start_due()) == 6
    await receiver.have(1)
    await hanging.have(5)
    hanging.reply.after.set()
