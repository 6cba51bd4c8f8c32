"""Queries on deletions."""

from datetime import datetime
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import ApiKey, DeletedUser, PasswordAttempts, PasswordReset, Registration, Session, User
from grove_auth.one_time_tokens import token_hash


class DeletionRepository:
    """What closing an account writes."""

    async def remove(self, user: User, transaction: AsyncClientSession) -> None:
        """Delete the account with its sessions and what waits for its address."""
        await User.get_pymongo_collection().delete_one({"_id": user.id}, session=transaction)
        await Session.get_pymongo_collection().delete_many({"user_id": user.id}, session=transaction)
        await ApiKey.get_pymongo_collection().delete_many({"user_id": user.id}, session=transaction)
        await PasswordReset.get_pymongo_collection().delete_many({"user_id": user.id}, session=transaction)
        await PasswordAttempts.get_pymongo_collection().delete_one({"_id": token_hash(user.email)}, session=transaction)
        await Registration.get_pymongo_collection().delete_many({"email": user.email}, session=transaction)

    async def remember(self, deleted: DeletedUser, transaction: AsyncClientSession) -> None:
        """That there was an account."""
        await deleted.insert(session=transaction)

    async def erased_by(self, user_id: UUID, service: str, transaction: AsyncClientSession) -> None:
        """Stop waiting for a service."""
        await DeletedUser.get_pymongo_collection().update_one(
            {"_id": user_id}, {"$pull": {"awaiting": service}}, session=transaction
        )

    async def overdue(self, before: datetime) -> list[DeletedUser]:
        """Accounts closed before that moment which a service has not erased yet."""
        return await DeletedUser.find({"awaiting.0": {"$exists": True}, "deleted_at": {"$lt": before}}).to_list(100)
