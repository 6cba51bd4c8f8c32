"""Queries on the audit log. On the bare driver: commands use them without binding the document classes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from grove_auth.audit.seals import Seal

Found = dict[str, Any]


class AuditRepository:
    """Entries and seals; added and read, never changed."""

    def __init__(self, database: AsyncDatabase[Any]) -> None:
        self._entries = database["audit_events"]
        self._seals = database["audit_seals"]

    async def last_seal(self) -> Seal | None:
        """The newest seal."""
        found: Seal | None = await self._seals.find_one({}, sort=[("_id", -1)])
        return found

    async def seals_after(self, position: int, limit: int) -> list[Seal]:
        """Seals above that position, in order."""
        return await self._seals.find({"_id": {"$gt": position}}).sort("_id", 1).limit(limit).to_list()

    async def insert_seal(self, seal: Seal) -> bool:
        """A new seal; False when another worker wrote that position."""
        try:
            await self._seals.insert_one(seal)
        except DuplicateKeyError:
            return False
        return True

    async def unsealed(self, start: UUID, limit: int) -> list[UUID]:
        """Ids of entries from `start` on that no seal lists, in order; seals list all below it."""
        listed = self._seals.find({"newest": {"$gte": start}}, {"entries": 1})
        sealed = {entry_id async for seal in listed for entry_id in seal["entries"]}
        found: list[UUID] = []
        async for document in self._entries.find({"_id": {"$gte": start}}, {"_id": 1}).sort("_id", 1):
            if document["_id"] not in sealed:
                found.append(document["_id"])
                if len(found) == limit:
                    break
        return found

    async def by_ids(self, ids: Sequence[UUID]) -> dict[UUID, Found]:
        """Entries by id."""
        found = await self._entries.find({"_id": {"$in": list(ids)}}).to_list()
        return {document["_id"]: document for document in found}

    async def ids_after(self, entry_id: UUID, limit: int) -> list[UUID]:
        """Ids above that one, in order."""
        found = self._entries.find({"_id": {"$gt": entry_id}}, {"_id": 1}).sort("_id", 1).limit(limit)
        return [document["_id"] async for document in found]

    async def entries_after(self, entry_id: UUID, limit: int) -> list[Found]:
        """Entries above that id, in order."""
        return await self._entries.find({"_id": {"$gt": entry_id}}).sort("_id", 1).limit(limit).to_list()

    async def newest_entries(self, condition: Found, before: UUID | None, limit: int) -> list[Found]:
        """Entries that meet the condition, newest first, below that id."""
        ids = {**condition.get("_id", {}), **({"$lt": before} if before else {})}
        wanted = {**condition, **({"_id": ids} if ids else {})}
        return await self._entries.find(wanted).sort("_id", -1).limit(limit).to_list()
