"""Queries on API keys."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import ApiKey


class ApiKeyRepository:
    """Keys. Changes that race are single updates with flat filters."""

    async def insert(self, key: ApiKey, transaction: AsyncClientSession) -> None:
        """A new key."""
        await key.insert(session=transaction)

    async def of_user(self, user_id: UUID, transaction: AsyncClientSession | None = None) -> list[ApiKey]:
        """The user's keys, dead ones too, newest first."""
        return await ApiKey.find({"user_id": user_id}, session=transaction).sort("-created_at").to_list()

    async def get(self, key_id: UUID, transaction: AsyncClientSession | None = None) -> ApiKey | None:
        """By id."""
        return await ApiKey.get(key_id, session=transaction)

    async def some(self, ids: Collection[UUID]) -> list[ApiKey]:
        """Those of `ids` that there are."""
        return await ApiKey.find({"_id": {"$in": list(ids)}}).to_list()

    async def by_secret(self, secret_hash: bytes) -> tuple[ApiKey, str] | None:
        """The key with that secret, present or before, and the secret's id."""
        key = await ApiKey.find_one({"secret_hash": secret_hash})
        if key is not None:
            return key, key.secret_id
        key = await ApiKey.find_one({"old_secret_hash": secret_hash})
        return (key, key.old_secret_id) if key is not None and key.old_secret_id is not None else None

    async def replace_secret(self, key: ApiKey, new: ApiKey, transaction: AsyncClientSession) -> bool:
        """Store the secrets of `new`; False when `key` was rotated or deleted meanwhile."""
        changed = await ApiKey.get_pymongo_collection().update_one(
            {"_id": key.id, "secret_id": key.secret_id},
            {
                "$set": new.model_dump(
                    include={
                        "hint",
                        "secret_id",
                        "secret_hash",
                        "old_secret_id",
                        "old_secret_hash",
                        "old_until",
                        "version",
                        "global_version",
                        "rotated_at",
                    }
                )
            },
            session=transaction,
        )
        return changed.modified_count == 1

    async def delete(self, key: ApiKey, transaction: AsyncClientSession) -> bool:
        """Delete it; False when it was rotated or deleted meanwhile."""
        gone = await ApiKey.get_pymongo_collection().delete_one(
            {"_id": key.id, "secret_id": key.secret_id}, session=transaction
        )
        return gone.deleted_count == 1

    async def used(self, key: ApiKey, moment: datetime, before: datetime) -> None:
        """Keep that it was used, unless that was kept since `before`."""
        if key.last_used_at is None or key.last_used_at <= before:
            await ApiKey.get_pymongo_collection().update_one(
                {"_id": key.id, "last_used_at": key.last_used_at}, {"$set": {"last_used_at": moment}}
            )
