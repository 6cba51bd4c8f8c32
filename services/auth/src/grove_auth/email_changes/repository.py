"""Queries on changes of addresses. The TTL sweep is late by up to a minute, so expiry is checked here too."""

from datetime import datetime
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.models import EmailChange, EmailUndo, User


class EmailChangeRepository:
    """Links that confirm another address."""

    async def add(self, change: EmailChange, transaction: AsyncClientSession) -> None:
        """A new link; older ones of its user no longer work."""
        await self.forget(change.user_id, transaction)
        await change.insert(session=transaction)

    async def by_token(self, token_hash: bytes) -> EmailChange | None:
        """The link that bears the token."""
        found = await EmailChange.get(token_hash)
        return found if found and found.expires_at > now() else None

    async def use(self, change: EmailChange, transaction: AsyncClientSession) -> bool:
        """Use it up; False when it was used before."""
        gone = await EmailChange.get_pymongo_collection().delete_one({"_id": change.id}, session=transaction)
        return gone.deleted_count == 1

    async def forget(self, user_id: UUID, transaction: AsyncClientSession) -> None:
        """None of the user's links works any more."""
        await EmailChange.get_pymongo_collection().delete_many({"user_id": user_id}, session=transaction)

    async def swap(self, user: User, change: EmailChange, transaction: AsyncClientSession) -> bool:
        """The new address instead of the one that was read; False when it, or the token version, is another now.

        Raises DuplicateKeyError for an address that another account has.
        """
        swapped = await User.get_pymongo_collection().update_one(
            {"_id": user.id, "email": user.email, "token_version": change.token_version},
            {"$set": {"email": change.email, "email_verified": True, "updated_at": now()}},
            session=transaction,
        )
        return swapped.matched_count == 1


class EmailUndoRepository:
    """Links that take a change back."""

    async def insert(self, undo: EmailUndo, transaction: AsyncClientSession) -> None:
        """A new link; those of earlier changes go on working."""
        await undo.insert(session=transaction)

    async def by_token(self, token_hash: bytes) -> EmailUndo | None:
        """The link that bears the token."""
        found = await EmailUndo.get(token_hash)
        return found if found and found.expires_at > now() else None

    async def oldest_since(self, user_id: UUID, moment: datetime, transaction: AsyncClientSession) -> EmailUndo | None:
        """The link of the first change of the account's address since then."""
        later = {"user_id": user_id, "changed_at": {"$gte": moment}}
        found = await EmailUndo.find(later, session=transaction).sort("changed_at").limit(1).to_list()
        return found[0] if found else None

    async def use(self, undo: EmailUndo, transaction: AsyncClientSession) -> bool:
        """Use it up, with those of all later changes: they are undone too. False when it was used before."""
        collection = EmailUndo.get_pymongo_collection()
        gone = await collection.delete_one({"_id": undo.id}, session=transaction)
        later = {"user_id": undo.user_id, "changed_at": {"$gte": undo.changed_at}}
        await collection.delete_many(later, session=transaction)
        return gone.deleted_count == 1
