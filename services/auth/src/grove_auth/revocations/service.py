"""Revocations: written with the change that causes them, numbered without gaps."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from grove.contracts.auth import Revocation
from grove.core.clock import now
from grove.messaging.revocation import Snapshot
from grove_auth.models.revocation import Kind

_COUNTER = "revocations"
_KEPT_LONGER: dict[Kind, timedelta] = {
    "api_key": timedelta(days=1),
    "global": timedelta(days=30),
    "signing_key": timedelta(days=30),
}
"""Keys live longer than tokens; and who stole a signing key writes what lifetime they like."""


class RevocationService:
    """The feed's entries."""

    def __init__(self, database: AsyncDatabase[dict[str, object]], *, tokens_live: timedelta) -> None:
        """`tokens_live`: lifetime of access tokens; an entry is kept that long at least."""
        self._tokens_live = tokens_live
        self._entries = database["revocations"]
        self._counters = database["counters"]
        self.added = asyncio.Event()
        """Set when this process committed an entry, so that its publisher need not wait for the next look."""

    async def ensure_counter(self) -> None:
        """Make the counter if there is none."""
        await self._counters.update_one({"_id": _COUNTER}, {"$setOnInsert": {"value": 0}}, upsert=True)

    async def end_tokens(self, transaction: AsyncClientSession, user_id: UUID, *, below: int) -> None:
        """Revoke the user's tokens below that version."""
        await self.add(transaction, "user", str(user_id), minimum=below)

    async def add(self, session: AsyncClientSession, kind: Kind, key: str, *, minimum: int = 0) -> None:
        """Revoke, in the caller's transaction. The counter's lock makes numbers commit in order."""
        await self._counters.update_one({"_id": _COUNTER}, {"$inc": {"value": 1}}, session=session)
        counter: Any = await self._counters.find_one({"_id": _COUNTER}, session=session)
        until = now() + _KEPT_LONGER.get(kind, self._tokens_live)
        await self._entries.insert_one(
            {"_id": counter["value"], "kind": kind, "key": key, "minimum": minimum, "until": until}, session=session
        )

    async def number(self) -> int:
        """The newest entry's number."""
        counter: Any = await self._counters.find_one({"_id": _COUNTER})
        return int(counter["value"]) if counter else 0

    async def after(self, number: int) -> list[Revocation]:
        """Entries above `number`, in order."""
        found: list[Any] = await self._entries.find({"_id": {"$gt": number}}).sort("_id", 1).to_list()
        return [_entry(document) for document in found]

    async def snapshot(self) -> Snapshot:
        """All entries in force. The number is read first: an entry that comes between is in the list already."""
        number = await self.number()
        moment = now()
        return Snapshot(number=number, entries=[e for e in await self.after(0) if e.until is None or e.until > moment])


def _entry(document: Any) -> Revocation:
    return Revocation(
        number=document["_id"],
        kind=document["kind"],
        key=document["key"],
        minimum=document["minimum"],
        until=document["until"],
    )
