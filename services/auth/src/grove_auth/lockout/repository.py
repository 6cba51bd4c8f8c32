"""Queries on password attempts. Each is one update of one document, so that parallel tries count each."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove_auth.models import PasswordAttempts

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
KEPT = timedelta(days=30)


class AttemptRepository:
    """Counters."""

    async def get(self, key: bytes) -> PasswordAttempts | None:
        """The counter of an address or a device."""
        return await PasswordAttempts.get(key)

    async def begin(self, key: bytes, moment: datetime, left: int, device_of: UUID | None) -> bool:
        """A counter after its first try; False when there is one."""
        try:
            await PasswordAttempts(
                id=key, left=left, locked_until=NEVER, tried_at=moment, expires_at=moment + KEPT, user_id=device_of
            ).insert()
        except DuplicateKeyError:
            return False
        return True

    async def take(self, key: bytes, moment: datetime) -> bool:
        """Use up one try; False when none is left, or the address is locked or has no counter."""
        taken = await PasswordAttempts.get_pymongo_collection().update_one(
            {"_id": key, "locked_until": {"$lte": moment}, "left": {"$gt": 0}},
            {"$inc": {"left": -1}, "$set": {"tried_at": moment, "expires_at": moment + KEPT}},
        )
        return taken.modified_count == 1

    async def refuse(self, key: bytes, moment: datetime) -> None:
        """A try while it is locked changes nothing that counts, and takes the write that a granted one takes."""
        await PasswordAttempts.get_pymongo_collection().update_one({"_id": key}, {"$set": {"tried_at": moment}})

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

    async def forget_devices(self, user_id: UUID, transaction: AsyncClientSession) -> None:
        """Begin anew on all devices of a user."""
        await PasswordAttempts.get_pymongo_collection().delete_many({"user_id": user_id}, session=transaction)
