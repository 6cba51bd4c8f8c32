"""Queries on users."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove.core.errors import InvalidToken
from grove_auth.models import User


class UserRepository:
    """Accounts."""

    async def get(self, user_id: UUID, transaction: AsyncClientSession | None = None) -> User | None:
        """By id."""
        return await User.get(user_id, session=transaction)

    async def some(self, ids: Collection[UUID]) -> list[User]:
        """Those of `ids` that there are."""
        return await User.find({"_id": {"$in": list(ids)}}).to_list()

    async def by_email(self, email: str) -> User | None:
        """By address, in its one spelling."""
        return await User.find_one({"email": email})

    async def insert(self, user: User, transaction: AsyncClientSession) -> None:
        """A new account. Raises DuplicateKeyError for a taken address."""
        await user.insert(session=transaction)

    async def renew_hash(self, user: User, password_hash: str) -> None:
        """Store the same password's hash under today's parameters, unless the password changed meanwhile."""
        await User.get_pymongo_collection().update_one(
            {"_id": user.id, "password_hash": user.password_hash}, {"$set": {"password_hash": password_hash}}
        )

    async def update(self, user_id: UUID, changes: dict[str, Any], transaction: AsyncClientSession) -> None:
        """Set fields."""
        await User.get_pymongo_collection().update_one(
            {"_id": user_id}, {"$set": {**changes, "updated_at": now()}}, session=transaction
        )

    async def held(self, user_id: UUID, transaction: AsyncClientSession) -> User | None:
        """By id, and nobody else changes it until the transaction ends: whoever tries conflicts with its write."""
        await self.update(user_id, {}, transaction)
        return await self.get(user_id, transaction)

    async def still(self, user: User, transaction: AsyncClientSession) -> bool:
        """Whether password and token version are those that were read, and the password still counts.

        It holds when the transaction goes on to take a sequence: a change beside it conflicts with that.
        """
        same = {
            "_id": user.id,
            "password_hash": user.password_hash,
            "token_version": user.token_version,
            "password_reset_required": {"$ne": True},
        }
        return await User.find_one(same, session=transaction) is not None

    async def complete(self) -> None:
        """Give accounts from before there were second factors the fields that updates compare."""
        await User.get_pymongo_collection().update_many({"mfa_version": None}, {"$set": {"mfa_version": 0}})

    async def next_sequence(self, user_id: UUID, count: int, transaction: AsyncClientSession) -> int:
        """Take `count` numbers for events of the account, under its lock; the first of them.

        Raises InvalidToken when the account was deleted meanwhile.
        """
        collection = User.get_pymongo_collection()
        await collection.update_one({"_id": user_id}, {"$inc": {"sequence": count}}, session=transaction)
        found: Any = await collection.find_one({"_id": user_id}, {"sequence": 1}, session=transaction)
        if found is None:
            raise InvalidToken
        return int(found["sequence"]) - count + 1
