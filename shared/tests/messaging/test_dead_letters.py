"""Dead letters on a real RabbitMQ: looked at without a change, handed back once each, lost never."""

import asyncio
import json
import os
import signal
import sys
from types import SimpleNamespace

import pytest
from aio_pika.abc import AbstractIncomingMessage

from grove.core.ids import new_id
from grove.messaging import dead_letters as module
from grove.messaging.broker import BROKER_ERRORS, message
from grove.messaging.dead_letters import DeadLetters
from grove.messaging.topology import queue_name

pytestmark = pytest.mark.integration

QUEUE = queue_name("resource")
DEAD = f"{QUEUE}.dead"
HEADERS = {"x-grove-attempt": 6, "x-grove-reason": "ValueError: no", "x-grove-last-failed": "2026-01-02T00:00:00Z"}


@pytest.fixture
async def channel(brokers):
    async with brokers("operator").connection() as connection:
        channel = await connection.channel(publisher_confirms=True)
        await empty(channel)
        yield channel
        await empty(channel)


async def empty(channel) -> None:
    for name in (QUEUE, DEAD):
        await (await channel.get_queue(name, ensure=False)).purge()


@pytest.fixture
def letters(brokers) -> DeadLetters:
    return DeadLetters(brokers("operator"), "resource")


async def park(channel, *bodies: bytes, ids: list[str] | None = None) -> list[str]:
    """Put letters into the dead queue; their ids."""
    ids = ids or [str(new_id()) for _ in bodies]
    exchange = await channel.get_exchange("resource.internal", ensure=False)
    made = [message(body, message_id=name, headers=HEADERS) for body, name in zip(bodies, ids, strict=True)]
    for start in range(0, len(made), 500):
        await asyncio.gather(*(exchange.publish(each, routing_key=DEAD) for each in made[start : start + 500]))
    return ids


async def held(channel, name: str) -> list[str]:
    """Everything in a queue, taken out."""
    queue, found = await channel.get_queue(name, ensure=False), []
    for _ in range(await module.messages_in(channel, name)):
        incoming = await queue.get(no_ack=True, fail=False)
        found.append(incoming.message_id)
    return found


async def test_a_letter_says_what_happened_and_what_the_event_was(channel, letters):
    event = {"type": "auth.user.registered.v1", "subject": "u1", "time": "2026-01-01T00:00:00Z", "sequence": 4}
    [name] = await park(channel, json.dumps(event | {"data": {"name": "Ada ✿"}}).encode())
    [letter] = await letters.all()
    assert (letter.id, letter.type, letter.subject, letter.sequence) == (name, event["type"], "u1", 4)
    assert (letter.attempts, letter.reason, letter.last_failed) == (6, "ValueError: no", "2026-01-02T00:00:00Z")
    assert json.loads(letter.event)["data"] == {"name": "Ada ✿"}
    assert "\n  " in letter.event
    assert await letters.one(name) == letter
    assert await letters.one("another") is None


@pytest.mark.parametrize(
    "body",
    [b"not json", b"\xff\xfe", b"[" * 100_000, b"[1]", b'{"type": {"no": 1}, "sequence": "x"}', b'"\\ud800"', b"NaN"],
    ids=["text", "bytes", "deep", "list", "other kinds", "surrogate", "not a number"],
)
async def test_whatever_was_sent_can_be_looked_at(channel, letters, body):
    await park(channel, body)
    [letter] = await letters.all()
    assert json.dumps(letter.event, ensure_ascii=False).encode(), "it can be answered"
    assert await letters.purge({letter.id}) == 1


async def test_a_terminal_obeys_no_letter(channel, letters):
    await park(channel, b'{"type": "\\u001b[31mred", "subject": "\\u202ex"}', b"other \x1b[2J")
    one, other = await letters.all()
    assert "\x1b" not in one.type + one.event + other.event
    assert "\u202e" not in one.subject


def test_a_message_without_an_id_is_named_by_what_it_says():
    one, same, other = (SimpleNamespace(message_id=None, body=body) for body in (b"one", b"one", b"other"))
    assert module.id_of(one) == module.id_of(same) != module.id_of(other)
    assert module.id_of(one).startswith("body-")


async def test_looking_leaves_all_in_their_order(channel, letters):
    ids = await park(channel, *[b"{}"] * 3500)
    assert [letter.id for letter in await letters.all(40)] == ids[:40]
    assert (await letters.one(ids[-1])).id == ids[-1]
    assert await letters.replay({ids[1], ids[3400]}) == 2
    left = [name for name in ids if name not in {ids[1], ids[3400]}]
    assert [letter.id for letter in await letters.all(5000)] == left
    assert [letter.id for letter in await letters.all(5000)] == left
    assert await held(channel, QUEUE) == [ids[1], ids[3400]]


async def test_few_are_in_memory_however_many_there_are(channel, letters, monkeypatch):
    """What the broker may send beyond what was looked at: one window."""
    await park(channel, *[b"{}"] * 1000)
    waiting = []

    class Watched(asyncio.Queue):
        async def put(self, item) -> None:
            await super().put(item)
            waiting.append(self.qsize())

    monkeypatch.setattr(module.asyncio, "Queue", Watched)
    assert await letters.one("none") is None
    assert max(waiting) <= module.WINDOW


@pytest.mark.parametrize("act", ["replay", "purge"])
async def test_a_pass_for_some_ends_when_each_was_found(channel, letters, monkeypatch, act):
    ids = await park(channel, *[b"{}"] * 1000)
    taken = []

    def looked_at(incoming) -> str:
        taken.append(incoming.message_id)
        return incoming.message_id

    monkeypatch.setattr(module, "id_of", looked_at)
    assert await getattr(letters, act)({ids[1], ids[3]}) == 2
    assert taken == ids[:4], "what lies behind is left alone"
    assert await getattr(letters, act)([]) == 0
    assert taken == ids[:4], "nothing is looked for"
    assert await held(channel, DEAD) == [ids[0], ids[2], *ids[4:]]


async def test_more_than_ten_thousand_are_handed_back_each_once_in_order(channel, letters):
    ids = await park(channel, *[b"{}"] * 10_300)
    told: list[tuple[int, int]] = []
    assert await letters.replay(told=lambda done, there: told.append((done, there))) == 10_300
    assert told[-1] == (10_300, 10_300)
    assert await letters.all() == []
    assert await module.messages_in(channel, QUEUE) == 10_300
    assert await held(channel, QUEUE) == ids


async def test_a_pass_takes_what_was_there_and_not_what_comes_back(channel, letters, brokers):
    """A consumer that parks all it gets at once, as fast as letters are handed back."""
    ids = await park(channel, *[b"{}"] * 300)
    seen: list[str] = []
    exchange = await channel.get_exchange("resource.internal", ensure=False)
    queue = await channel.get_queue(QUEUE, ensure=False)

    async def fail(incoming: AbstractIncomingMessage) -> None:
        seen.append(incoming.message_id)
        await exchange.publish(message(incoming.body, message_id=incoming.message_id), routing_key=DEAD)
        await incoming.ack()

    tag = await queue.consume(fail)
    assert await asyncio.wait_for(letters.replay(), 30) == 300
    while len(seen) < 300 or await module.messages_in(channel, DEAD) < 300:
        await asyncio.sleep(0.01)
    await queue.cancel(tag)
    assert seen == ids, "each once"
    assert sorted(await held(channel, DEAD)) == sorted(ids)


async def test_what_comes_meanwhile_waits_for_the_next_pass(channel, letters):
    ids = await park(channel, *[b"{}"] * 600)
    began, later = asyncio.Event(), []

    async def arrive() -> None:
        await began.wait()
        later.extend(await park(channel, *[b"{}"] * 200))

    arriving = asyncio.create_task(arrive())
    assert await letters.replay(told=lambda *_: began.set()) == 600
    await arriving
    assert await held(channel, QUEUE) == ids
    assert [letter.id for letter in await letters.all(1000)] == later


async def test_a_part_is_handed_back_from_the_front(channel, letters):
    ids = await park(channel, *[b"{}"] * 130)
    assert await letters.replay(limit=60) == 60
    assert await held(channel, QUEUE) == ids[:60]
    assert [letter.id for letter in await letters.all(500)] == ids[60:]


async def test_only_the_named_are_thrown_away(channel, letters):
    ids = await park(channel, *[b"{}"] * 5)
    assert await letters.purge({ids[2], "another"}) == 1
    assert await letters.purge() == 4
    assert await letters.purge() == 0


async def test_two_who_look_at_once_both_come_to_an_end(channel, letters):
    await park(channel, *[b"{}"] * 400)
    first, second = await asyncio.wait_for(asyncio.gather(letters.all(400), letters.all(400)), 30)
    assert len(first) + len(second) >= 400
    assert len(await letters.all(500)) == 400


async def test_a_letter_between_publish_and_acknowledgement_is_in_both_places(channel, letters, monkeypatch):
    [name] = await park(channel, b"{}")

    async def die(self, **_) -> None:
        raise ConnectionError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr("aio_pika.message.IncomingMessage.ack", die)
        with pytest.raises(BROKER_ERRORS):
            await letters.replay()
    assert await letters.replay() == 1
    assert await held(channel, QUEUE) == [name, name]


KILLED = """
import asyncio, sys
from pathlib import Path
from grove.messaging.broker import Broker
from grove.messaging.dead_letters import DeadLetters
from grove.security.mtls import TlsMaterial
broker = Broker(sys.argv[1], TlsMaterial(Path(sys.argv[2]), Path(sys.argv[3])), "killed")
asyncio.run(DeadLetters(broker, "resource").replay(told=lambda done, there: print(done, flush=True)))
"""


async def test_a_killed_replay_loses_none(channel, letters, brokers):
    ids = await park(channel, *[b"{}"] * 2000)
    operator = brokers("operator")
    words = (KILLED, operator.url, str(operator.tls.identity_file), str(operator.tls.ca_file))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", *words, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    while int(await process.stdout.readline()) < 300:
        pass
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert process.returncode == -signal.SIGKILL, "it was at work"
    while await module.messages_in(channel, QUEUE) + await module.messages_in(channel, DEAD) < 2000:
        await asyncio.sleep(0.05)  # what it held comes back when the broker sees it gone
    there, left = await held(channel, QUEUE), [letter.id for letter in await letters.all(5000)]
    assert set(there) | set(left) == set(ids)
    assert len(there) == len(set(there)) < 2000
    assert len(set(there) & set(left)) <= module.BATCH, "no more than were between the two"


async def test_a_queue_that_is_not_there_is_an_error(brokers):
    with pytest.raises(BROKER_ERRORS):
        await DeadLetters(brokers("operator"), "nobody").all()


async def test_a_service_reads_its_own_letters_and_no_others(channel, brokers):
    await park(channel, b"{}")
    assert len(await DeadLetters(brokers("resource"), "resource").all()) == 1
    assert await DeadLetters(brokers("resource"), "resource").replay() == 1
    await park(channel, b"{}")
    with pytest.raises(BROKER_ERRORS):
        await DeadLetters(brokers("notification"), "resource").all()
    with pytest.raises(BROKER_ERRORS):
        await DeadLetters(brokers("gateway"), "resource").all()
