"""Who claims, or ends what waits, while another writes down how a try ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from grove.core.clock import now
from grove_notification.models import Webhook
from grove_notification.webhooks.deliveries.calling import Answer
from grove_notification.webhooks.deliveries.claiming import claim
from grove_notification.webhooks.deliveries.outcomes import Outcome
from grove_notification.webhooks.deliveries.recording import Ending, Recorder

pytestmark = pytest.mark.integration
LATE = 0.05
"""Seconds of a lease that is over before the end of its try is written down."""


@pytest.fixture
async def late(
    made, queue, rows, resources, blocked
) -> AsyncIterator[tuple[dict[str, Any], Callable[[], Awaitable[None]]]]:
    """A webhook whose delivery was taken: that is written, by a lease that is over, and not yet committed.

    With what commits it as soon as somebody waits for that.
    """
    webhook = await made()
    await queue(webhook, ["a"])
    await rows.change(Webhook, proven=True)
    async with resources.sessions.begin() as session:
        [claimed] = await claim(session, most=1, cap=1, lease_seconds=LATE, held_back=False)
    await asyncio.sleep(LATE * 2)
    moment = now()
    async with resources.sessions() as session:
        recorder = Recorder(session, resources.mail_queue, timedelta(days=5))
        ending = Ending(Answer(status=200), Outcome("delivered"), moment, moment)
        assert await recorder.record(claimed, ending)

        async def commit() -> None:
            await blocked()
            await session.commit()

        yield webhook, commit


async def test_what_was_taken_meanwhile_is_not_claimed(late, resources, rows):
    _, commit = late

    async def another() -> int:
        async with resources.sessions.begin() as session:
            return len(await claim(session, most=1, cap=1, lease_seconds=60, held_back=False))

    claiming = asyncio.create_task(another())
    await commit()
    assert await claiming == 0
    delivery = await rows.one()
    assert (delivery.status, delivery.leased_until, delivery.next_attempt_at) == ("delivered", None, None)


async def test_what_was_taken_meanwhile_is_not_ended_by_disabling(late, client, me, rows):
    webhook, commit = late
    path = f"/api/v1/webhooks/{webhook['id']}"
    disabling = asyncio.create_task(client.patch(path, json={"status": "disabled"}, headers=me))
    await commit()
    assert (await disabling).json()["status"] == "disabled"
    delivery = await rows.one()
    assert (delivery.status, delivery.last_error, delivery.attempts) == ("delivered", None, 1)
