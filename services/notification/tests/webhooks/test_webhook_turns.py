"""When it is a webhook's turn: never thought to be later than it is, whatever happens; and who comes before whom."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.models import User, Webhook, WebhookDelivery
from grove_notification.webhooks.cleaning import WebhookCleaning
from grove_notification.webhooks.deliveries import turns
from grove_notification.webhooks.deliveries.calling import Answer
from grove_notification.webhooks.deliveries.claiming import Claimed, claim
from grove_notification.webhooks.deliveries.outcomes import Outcome
from grove_notification.webhooks.deliveries.recording import Ending, Recorder

pytestmark = pytest.mark.integration
URL = "/api/v1/webhooks"
STEPS = 60
_TRUTH = text(
    f"SELECT w.due_at, w.resume_at, {turns.first_due('w')} AS truth FROM webhooks w WHERE w.status = 'active'"  # noqa: S608
)


def titles(receiver) -> list[str]:
    return [json.loads(got.body)["title"] for got in receiver.got]


@pytest.fixture
def look(resources):
    """A worker's claim: await look()."""

    async def look(*, most: int = 3) -> list[Claimed]:
        found: list[Claimed] = []
        for held_back in (False, True):
            async with resources.sessions.begin() as session:
                found += await claim(session, most=most, cap=2, lease_seconds=60, held_back=held_back)
        return found

    return look


class Walk:
    """What can happen to an endpoint, in an order that a seed decides."""

    def __init__(self, resources: Any, client: Any, headers: Any, webhook: dict, task: Any, look: Any) -> None:
        self._resources, self._client, self._headers, self._task, self._look = resources, client, headers, task, look
        self._path = f"{URL}/{webhook['id']}"
        self._taken: list[Claimed] = []

    async def step(self, chance: random.Random) -> str:
        moves: list[Callable[[random.Random], Awaitable[object]]] = [
            self._fact, self._test, self._claim, self._claim, self._claim, self._end, self._end, self._end, self._end,
            self._redeliver, self._redeliver_all, self._skip, self._skip, self._change, self._time,
        ]  # fmt: skip
        move = chance.choice(moves)
        await move(chance)
        return move.__name__

    async def _fact(self, _: random.Random) -> None:
        await self._task()

    async def _test(self, _: random.Random) -> None:
        await self._client.post(f"{self._path}/test", headers=self._headers)

    async def _claim(self, _: random.Random) -> None:
        self._taken += await self._look()

    async def _end(self, chance: random.Random) -> None:
        if not self._taken:
            return
        taken, moment = self._taken.pop(chance.randrange(len(self._taken))), now()
        later = moment + timedelta(seconds=chance.choice([0, 5, 300]))
        outcome = chance.choice(
            [
                Outcome("delivered"),
                Outcome("retry", "no", later),
                Outcome("retry", "no", later, resume_at=moment + timedelta(hours=1)),
                Outcome("failed", "no"),
            ]
        )
        async with self._resources.sessions.begin() as session:
            recorder = Recorder(session, self._resources.mail_queue, timedelta(days=5))
            record = chance.choice([recorder.record, recorder.record, recorder.record_alone])
            await record(taken, Ending(Answer(status=200), outcome, moment, moment))

    async def _redeliver(self, chance: random.Random) -> None:
        await self._client.post(f"{self._path}/deliveries/{await self._one(chance)}/redeliver", headers=self._headers)

    async def _skip(self, chance: random.Random) -> None:
        await self._client.post(f"{self._path}/deliveries/{await self._one(chance)}/skip", headers=self._headers)

    async def _redeliver_all(self, chance: random.Random) -> None:
        body = {"since": "2026-01-01T00:00:00Z", "status": chance.choice(["failed", "all"])}
        await self._client.post(f"{self._path}/redeliver", json=body, headers=self._headers)

    async def _change(self, chance: random.Random) -> None:
        body = chance.choice([{"status": "active"}, {"status": "disabled"}, {"ordered": True}, {"ordered": False}])
        await self._client.patch(self._path, json=body, headers=self._headers)

    async def _time(self, _: random.Random) -> None:
        """An hour goes by: everything is that much earlier."""
        hour = timedelta(hours=1)
        async with self._resources.sessions.begin() as session:
            await session.execute(
                update(Webhook).values(due_at=Webhook.due_at - hour, resume_at=Webhook.resume_at - hour)
            )
            await session.execute(
                update(WebhookDelivery).values(
                    next_attempt_at=WebhookDelivery.next_attempt_at - hour,
                    leased_until=WebhookDelivery.leased_until - hour,
                )
            )

    async def _one(self, chance: random.Random) -> object:
        async with self._resources.sessions() as session:
            return chance.choice([*(await session.scalars(select(WebhookDelivery.id))).all(), new_id()])


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_due_is_known_to_be_whatever_happened_and_a_look_sets_it_right(
    create, receiver, resources, client, me, task, look, seed
):
    chance = random.Random(seed)  # noqa: S311 - no secret
    webhook = await create(receiver.url, ordered=seed % 2 == 0)
    walk, story = Walk(resources, client, me, webhook, task, look), []

    async def due() -> tuple[datetime | None, datetime | None]:
        async with resources.engine.connect() as connection:
            row = (await connection.execute(_TRUTH)).one_or_none()
        if row is None or row.truth is None:
            return None if row is None else row.due_at, None
        return row.due_at, max(row.truth, row.resume_at or row.truth)

    for _ in range(STEPS):
        story.append(await walk.step(chance))
        thought, truth = await due()
        assert truth is None or (thought is not None and thought <= max(truth, now())), story
        if thought is not None and thought <= now():
            async with resources.sessions.begin() as session:
                await turns.settle(await session.connection(), [webhook["id"]])
            thought, truth = await due()
            assert thought == truth, story
    assert {"_claim", "_end", "_skip", "_change", "_time"} <= set(story)


async def test_who_queues_while_others_look_is_not_forgotten(create, receiver, queue, resources, look, rows):
    """A look sees nothing of what is not committed: it must not say that nothing waits."""
    webhook = await create(receiver.url)
    await queue(webhook, ["a"])
    await rows.change(Webhook, proven=True)
    async with resources.sessions() as session:
        await session.scalar(select(Webhook.id).with_for_update(read=True, key_share=True))
        [taken] = await look()
        assert (await rows.webhook()).due_at <= now()
        await session.rollback()
    assert await look() == []
    assert (await rows.webhook()).due_at == taken.leased_until


async def test_a_webhook_is_not_written_for_each_fact(create, receiver, task, rows, resources):
    await create(receiver.url)
    await task()

    async def version() -> object:
        async with resources.engine.connect() as connection:
            return await connection.scalar(text("SELECT xmin::text FROM webhooks"))

    first, due = await version(), (await rows.webhook()).due_at
    await task()
    assert (await version(), (await rows.webhook()).due_at) == (first, due)


async def test_a_fact_behind_a_stuck_one_wakes_no_ordered_webhook(create, receiver, hooks, task, rows):
    await create(receiver.url, ordered=True)
    receiver.answers(status=500)
    await task()
    await hooks().send_due()
    await rows.change(WebhookDelivery, next_attempt_at=(later := now() + timedelta(hours=1)))
    await rows.change(Webhook, due_at=later)
    await task()
    assert (await rows.webhook()).due_at == later


async def test_what_was_forgotten_by_a_mistake_is_found(create, receiver, queue, resources, rows, look):
    await queue(await create(receiver.url), ["a"])
    for wrong in (None, now() + timedelta(days=1)):
        await rows.change(Webhook, due_at=wrong)
        assert await look() == []
        await WebhookCleaning(resources.sessions, resources.webhook_cipher, days=30).clean()
        assert (await rows.webhook()).due_at <= now()
    assert len(await look()) == 1


async def test_the_cleaning_leaves_what_is_right(create, receiver, queue, resources, rows):
    webhook = await create(receiver.url)
    await queue(webhook, ["a"], next_attempt_at=(later := now() + timedelta(hours=1)))
    await WebhookCleaning(resources.sessions, resources.webhook_cipher, days=30).clean()
    assert (await rows.webhook()).due_at == later


async def test_one_that_has_nothing_hides_no_other(create, receivers, hooks, queue, configure, rows):
    """Its turn was thought to have come; there is one slot."""
    configure(in_flight=2)
    idle, other = await receivers(), await receivers()
    for _ in range(5):
        await create(idle.url)
    await queue(await create(other.url), ["mine"])
    await rows.change(Webhook, due_at=now() - timedelta(hours=1), proven=True)
    assert await hooks().send_due() == 1
    assert titles(other) == ["mine"]


async def test_who_is_new_is_not_behind_the_backlogs_of_endpoints_that_hang(
    create, receiver, receivers, hooks, queue, rows, issuer, configure
):
    """A slot for those that are held back, and many users whose endpoints hang, each with much that waits for long."""
    configure(in_flight=2, concurrency=1)
    hanging = await receivers()
    hanging.answers(after=asyncio.Event())
    hour = now() - timedelta(hours=1)
    for _ in range(6):
        await queue(await create(hanging.url, issuer.headers(new_id())), list("abc"), next_attempt_at=hour)
    await rows.change(Webhook, proven=True, failing_since=hour, tried_at=hour + timedelta(minutes=1))
    await queue(await create(receiver.url, issuer.headers(new_id())), ["mine"])
    [trying] = await hooks().start_due()
    await asyncio.wait([trying])
    assert (titles(receiver), hanging.got) == (["mine"], [])


async def test_endpoints_are_tried_in_turn(create, receivers, hooks, queue, rows, configure):
    """Not the one with the oldest backlog until that is done."""
    configure(in_flight=2, concurrency=1, retry_seconds=[])
    old, young = await receivers(), await receivers()
    for each, age in ((old, 60), (young, 1)):
        each.answers(status=500)
        await queue(await create(each.url), list("abc"), next_attempt_at=now() - timedelta(minutes=age))
    sender, tried = hooks(), []
    while started := await sender.start_due():
        await asyncio.wait(started)
        tried.append((len(old.got), len(young.got)))
    assert tried == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]


async def test_how_late_those_are_that_are_held_back_shows(create, receiver, hooks, queue, rows):
    webhook, sender = await create(receiver.url), hooks()
    long = now() - timedelta(minutes=11)
    await queue(webhook, ["a"], next_attempt_at=long)
    assert "new or failed once has waited 6" in await sender.check(), "it was never tried"
    failing = {"proven": True, "failing_since": long}
    await rows.change(Webhook, **failing, tried_at=long - timedelta(seconds=1))
    assert "new or failed once has waited 6" in await sender.check(), "it failed once"
    await rows.change(Webhook, **failing, tried_at=long + timedelta(seconds=1))
    assert await sender.check() is None, "it failed twice"
    await rows.change(Webhook, proven=False, tried_at=now())
    assert await sender.check() is None, "it had its turn just now"


async def test_webhooks_of_blocked_users_are_passed_over(create, receiver, hooks, queue, resources, ada, rows):
    await queue(await create(receiver.url), ["a"], next_attempt_at=now() - timedelta(hours=1))
    user = User(id=ada, locale="en", timezone="UTC", sequence=1, blocked=True, updated_at=datetime.now(UTC))
    async with resources.sessions.begin() as session:
        await session.merge(user)
    sender = hooks()
    assert (await sender.send_due(), await sender.check()) == (0, None)
    await rows.change(User, blocked=False)
    assert await sender.send_due() == 1
