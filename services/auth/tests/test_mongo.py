"""Outbox, inbox and transactions on MongoDB."""

import asyncio

import pymongo
import pytest
from pymongo.errors import ExecutionTimeout, PyMongoError

from grove.contracts.auth import UserUpdated
from grove.contracts.resource import UserErased
from grove.core.clock import now
from grove.core.ids import new_id
from grove.core.tasks import end
from grove.messaging.handlers import StoreUnavailable, Work
from grove.mongo.client import MONGO_ERRORS, in_transaction
from grove.outbox.event import outbox_event
from grove.outbox.mongo import STORE_ERRORS, MongoOutbox
from grove.outbox.relay import Relay
from grove_auth.consumers import handlers

pytestmark = pytest.mark.integration


async def test_a_transaction_that_never_succeeds_ends_within_its_time(resources, monkeypatch):
    monkeypatch.setattr("grove.mongo.client.TRANSACTION_SECONDS", 0.5)

    async def conflict(_) -> None:
        error = PyMongoError("write conflict")
        error._add_error_label("TransientTransactionError")
        raise error

    async with asyncio.timeout(5):
        with pytest.raises(MONGO_ERRORS):
            await in_transaction(resources.client, conflict)


async def test_mongos_outbox_is_relayed_in_order_by_one_relay_at_a_time(resources, brokers, outside):
    users = [new_id() for _ in range(10)]

    async def write(session) -> None:
        for sequence in (1, 2, 3):
            facts = [(UserUpdated(user_id=u, locale="en", timezone="UTC", roles=[]), sequence) for u in users]
            await resources.outbox.add(session, *facts)

    await in_transaction(resources.client, write)
    assert len(await outside.events()) == 30
    assert await resources.outbox.oldest_age() >= 0
    other = MongoOutbox(resources.client, resources.database.name, "auth")
    with pytest.raises(ConnectionError):
        async with resources.outbox.claim(100) as claim:
            assert len(claim.events) == 30
            async with other.claim(100) as none:
                assert none.events == []
            claim.published.add(claim.events[0].id)
            raise ConnectionError("the broker went away")
    async with resources.outbox.claim(100, without={UserUpdated.type}) as none:
        assert none.events == []
    async with resources.outbox.claim(100) as claim:
        refused = claim.events.pop()
        assert len(claim.events) == 29
        claim.published |= {event.id for event in claim.events}
    assert [event.id for event in await outside.events()] == [refused.id]
    relay = Relay(brokers("auth"), resources.outbox, store_errors=STORE_ERRORS)
    task = asyncio.create_task(relay.run())
    async with asyncio.timeout(10):
        while await outside.events():
            await asyncio.sleep(0.02)
    assert relay.connected
    await in_transaction(resources.client, write)
    async with asyncio.timeout(10):
        while await outside.events():
            await asyncio.sleep(0.02)
    await end(task)


async def test_a_change_that_rolls_back_is_never_published(resources, outside):
    async def write(session) -> None:
        await resources.outbox.add(session, (UserUpdated(user_id=new_id(), locale="en", timezone="UTC", roles=[]), 1))
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await in_transaction(resources.client, write)
    assert await outside.events() == []


def work(handler) -> Work:
    fact = UserErased(user_id=new_id(), erased_at=now())
    parsed = handlers().parse(outbox_event("resource", fact, sequence=1).body)
    return Work(handler, parsed.received)


@pytest.fixture
def effect(resources):
    """A collection for effects."""
    return resources.database["deleted_users"]


async def test_an_event_delivered_many_times_at_once_has_one_effect(resources, effect):
    async def handler(session, _) -> None:
        await effect.insert_one({"_id": new_id(), "awaiting": []}, session=session)

    event = work(handler)
    answers = await asyncio.gather(*(resources.inbox.apply([event, event]) for _ in range(8)))
    assert sorted(answers, key=len) == [[]] * 7 + [[event]]
    assert await effect.count_documents({}) == 1


async def test_a_failed_effect_leaves_no_trace_and_can_be_tried_again(resources, effect):
    tries = []

    async def handler(session, _) -> None:
        tries.append(1)
        await effect.insert_one({"_id": new_id(), "awaiting": []}, session=session)
        if len(tries) == 1:
            raise ValueError("first")

    event = work(handler)
    with pytest.raises(ValueError, match="first"):
        await resources.inbox.apply([event])
    assert await resources.database["inbox"].count_documents({}) == await effect.count_documents({}) == 0
    assert await resources.inbox.apply([event]) == [event]
    assert await effect.count_documents({}) == 1


async def test_applied_events_are_forgotten_by_ttl(resources):
    indexes = await resources.database["inbox"].index_information()
    assert indexes["applied_at_1"]["expireAfterSeconds"] == 7 * 24 * 3600


async def test_a_database_that_does_not_answer_is_not_the_events_fault(resources):
    async def handler(_, __) -> None:
        raise AssertionError("never reached")

    with pymongo.timeout(0.0001), pytest.raises(StoreUnavailable):
        await resources.inbox.apply([work(handler)])


async def test_an_effect_that_waits_for_others_too_long_is_a_failed_try(resources, effect, monkeypatch):
    monkeypatch.setattr("grove.mongo.client.TRANSACTION_SECONDS", 2)
    held = new_id()
    await effect.insert_one({"_id": held, "awaiting": []})

    async def handler(session, _) -> None:
        await effect.update_one({"_id": held}, {"$set": {"awaiting": ["resource"]}}, session=session)

    async with resources.client.start_session() as holder, await holder.start_transaction():
        await effect.update_one({"_id": held}, {"$set": {"awaiting": ["auth"]}}, session=holder)
        with pytest.raises(ExecutionTimeout):
            await resources.inbox.apply([work(handler)])
