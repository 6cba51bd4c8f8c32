"""Queries on signing keys."""

from datetime import datetime

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import SigningKey


class SigningKeyRepository:
    """The few keys there are."""

    async def all(self, transaction: AsyncClientSession | None = None) -> list[SigningKey]:
        """All that are published, the one that signs last first."""
        return await SigningKey.find({}, session=transaction).sort("-signs_from", "-_id").to_list()

    async def insert(self, key: SigningKey, transaction: AsyncClientSession | None = None) -> None:
        """A new key."""
        await key.insert(session=transaction)

    async def retire(self, key: SigningKey, moment: datetime, transaction: AsyncClientSession) -> None:
        """It goes then."""
        await SigningKey.get_pymongo_collection().update_one(
            {"_id": key.id}, {"$set": {"retires_at": moment}}, session=transaction
        )

    async def delete(self, key: SigningKey, transaction: AsyncClientSession) -> bool:
        """It is no longer published and its private part is gone; False when it was deleted before."""
        gone = await SigningKey.get_pymongo_collection().delete_one({"_id": key.id}, session=transaction)
        return gone.deleted_count == 1
