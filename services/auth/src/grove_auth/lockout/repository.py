"""Queries on password attempts. Each is one update of one document, so that parallel tries count each."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove_auth.models import PasswordAttempts

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
KEPT = timedelta(days=30)


class AttemptRepository:
    """Counters."""

    async def get(self, key: bytes) -> PasswordAttempts | None:
        """The counter of an address."""
        return await PasswordAttempts.get(key)

    async def begin(self, key: bytes, moment: datetime, tries: int) -> bool:
        """A counter with `tries` left; False when there is one."""
        try:
            await PasswordAttempts(
                id=key, left=tries, locked_until=NEVER, tried_at=moment, expires_at=moment + KEPT
            ).insert()
        except DuplicateKeyError:
            return False
        return True

    async def take(self, key: bytes, moment: datetime) -> PasswordAttempts | None:
        """Use up one try; None when none is left, or the address is locked or has no counter."""
        found: Any = await PasswordAttempts.get_pymongo_collection().find_one_and_update(
            {"_id": key, "locked_until": {"$lte": moment}, "left": {"$gt": 0}},
            {"$inc": {"left": -1}, "$set": {"tried_at": moment, "expires_at": moment + KEPT}},
            return_document=ReturnDocument.AFTER,
        )
        return PasswordAttempts(**{**found, "id": found["_id"]}) if found else None

    async def give_back(self, key: bytes) -> None:
        """The password was not looked at after all."""
        await PasswordAttempts.get_pymongo_collection().update_one({"_id": key}, {"$inc": {"left": 1}})

    async def lock(
        self, attempts: PasswordAttempts, until: datetime, tries: int, transaction: AsyncClientSession
    ) -> bool:
        """Lock until then, with `tries` afterwards; False when another try did."""
        locked = await PasswordAttempts.get_pymongo_collection().update_one(
            {"_id": attempts.id, "locks": attempts.locks},
            {
                "$set": {"left": tries, "locked_until": until, "expires_at": max(until, attempts.expires_at)},
                "$inc": {"locks": 1},
            },
            session=transaction,
        )
        return locked.matched_count == 1

    async def forget(self, key: bytes, transaction: AsyncClientSession | None = None) -> None:
        """Begin anew."""
        await PasswordAttempts.get_pymongo_collection().delete_one({"_id": key}, session=transaction)
