"""Queries of imports."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import User


class ImportRepository:
    """Accounts by the hundred."""

    async def taken(self, emails: Collection[str], transaction: AsyncClientSession) -> dict[str, UUID]:
        """Which of the addresses have an account, and its id."""
        found: list[Any] = (
            await User.get_pymongo_collection()
            .find({"email": {"$in": list(emails)}}, {"email": 1}, session=transaction)
            .to_list()
        )
        return {document["email"]: document["_id"] for document in found}

    async def insert(self, users: Sequence[User], transaction: AsyncClientSession) -> None:
        """New accounts. Raises BulkWriteError when an address was taken meanwhile."""
        await User.insert_many(list(users), session=transaction)
