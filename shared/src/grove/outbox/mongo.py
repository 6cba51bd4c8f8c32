"""Outbox and inbox in MongoDB. Relays share the partitions by leases: documents that one holds for some seconds."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, ExecutionTimeout, OperationFailure

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.ids import new_id
from grove.messaging.handlers import StoreUnavailable, Work, apply_all, reason_of
from grove.mongo.client import MONGO_ERRORS, Document, in_transaction
from grove.outbox.event import Claim, OutboxEvent, outbox_event

LEASE_SECONDS = 15
INBOX_DAYS = 7
STORE_ERRORS: tuple[type[Exception], ...] = (*MONGO_ERRORS, OperationFailure)


class MongoOutbox:
    """Adds events to a transaction, and gives them to the relay."""

    def __init__(self, client: "AsyncMongoClient[Document]", database: str, service: str) -> None:
        self._database: AsyncDatabase[Document] = client[database]
        self._events = self._database["outbox"]
        self._leases = self._database["outbox_leases"]
        self._service = service
        self._owner = str(new_id())

    async def create_indexes(self) -> None:
        """For `claim`: a partition's events in the order they were written."""
        await self._events.create_index([("partition", 1), ("_id", 1)])

    async def add(self, session: AsyncClientSession, *events: tuple[EventData, int]) -> None:
        """Write events, each with its aggregate's new sequence number, into the open transaction."""
        made = [outbox_event(self._service, data, sequence=sequence) for data, sequence in events]
        if made:
            await self._events.insert_many(
                [
                    {
                        "_id": event.id,
                        "partition": event.partition,
                        "type": event.type,
                        "body": event.body,
                        "created_at": now(),
                    }
                    for event in made
                ],
                session=session,
            )

    @asynccontextmanager
    async def claim(self, limit: int, *, without: Collection[str] = ()) -> AsyncIterator[Claim]:
        """Events of the partitions that this relay holds."""
        types = {"type": {"$nin": list(without)}}
        waiting = await self._events.find(types, {"partition": 1}).to_list(1000)
        wanted = {int(str(document["partition"])) for document in waiting}
        held = [partition for partition in sorted(wanted) if await self._hold(partition)]
        found: list[Document] = []
        for partition in held:
            found += (
                await self._events.find({"partition": partition, **types}).sort("_id", 1).to_list(limit - len(found))
            )
            if len(found) >= limit:
                break
        claim = Claim([_event(document) for document in found])
        yield claim
        if claim.published:
            await self._events.delete_many({"_id": {"$in": list(claim.published)}})

    async def wakeups(self) -> AsyncIterator[None]:
        """Yields on each insert, by a change stream."""
        async with await self._events.watch(
            [{"$match": {"operationType": "insert"}}], max_await_time_ms=1000
        ) as stream:
            while stream.alive:
                if await stream.try_next() is not None:
                    yield
                else:
                    await asyncio.sleep(0)

    async def oldest_age(self) -> float:
        """Seconds since the oldest unsent event was written; 0 when there is none."""
        oldest: Any = await self._events.find_one({}, {"created_at": 1}, sort=[("_id", 1)])
        return float((now() - oldest["created_at"]).total_seconds()) if oldest else 0.0

    async def _hold(self, partition: int) -> bool:
        moment = now()
        until = {"$set": {"owner": self._owner, "until": moment + timedelta(seconds=LEASE_SECONDS)}}
        renewed = await self._leases.update_one({"_id": partition, "owner": self._owner}, until)
        if renewed.matched_count:
            return True
        taken = await self._leases.update_one({"_id": partition, "until": {"$lt": moment}}, until)
        if taken.modified_count:
            return True
        try:
            await self._leases.insert_one({"_id": partition, "owner": self._owner, "until": until["$set"]["until"]})
        except DuplicateKeyError:
            return False
        return True


class MongoInbox:
    """Applies events exactly once."""

    def __init__(self, client: "AsyncMongoClient[Document]", database: str) -> None:
        self._client = client
        self._applied = client[database]["inbox"]

    async def create_indexes(self) -> None:
        """Applied events are forgotten after INBOX_DAYS."""
        await self._applied.create_index("applied_at", expireAfterSeconds=INBOX_DAYS * 24 * 3600)

    async def apply(self, works: Sequence[Work]) -> list[Work]:
        """Apply those that were not applied before, in one transaction, all or none; which those were.

        Raises StoreUnavailable, and what a handler raises.
        """
        by_id: dict[UUID, Work] = {}
        for work in works:
            by_id.setdefault(work.id, work)

        at_work = False

        async def enter(session: AsyncClientSession) -> list[Work]:
            nonlocal at_work
            known = await self._applied.find({"_id": {"$in": list(by_id)}}, {"_id": 1}, session=session).to_list()
            seen = {document["_id"] for document in known}
            new = [work for event_id, work in by_id.items() if event_id not in seen]
            if new:
                moment = now()
                await self._applied.insert_many(
                    [{"_id": work.id, "applied_at": moment} for work in new], session=session
                )
            at_work = True
            await apply_all(new, session)
            return new

        try:
            return await in_transaction(self._client, enter)  # again, when another consumer enters one meanwhile
        except MONGO_ERRORS as error:
            if at_work and isinstance(error, ExecutionTimeout):
                raise  # the time was over in the effect of one of these, as when others hold what it changes
            raise StoreUnavailable(f"the database is away: {reason_of(error)}") from error


def _event(document: Any) -> OutboxEvent:
    return OutboxEvent(document["_id"], document["partition"], document["type"], bytes(document["body"]))
