"""Queries on deletions."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from beanie import Document
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.models import (
    ApiKey,
    DeletedUser,
    EmailChange,
    EmailUndo,
    Identity,
    KnownPlaces,
    MfaChallenge,
    MfaRecovery,
    NotMeLink,
    OAuthCode,
    OAuthFlow,
    Passkey,
    PasskeyChallenge,
    PasswordAttempts,
    PasswordReset,
    Registration,
    SecondFactors,
    SentCode,
    Session,
    TrustedDevice,
    User,
)
from grove_auth.one_time_tokens import token_hash

OF_USER: tuple[type[Document], ...] = (
    ApiKey,
    EmailChange,
    EmailUndo,
    Identity,
    MfaChallenge,
    NotMeLink,
    OAuthCode,
    OAuthFlow,
    Passkey,
    PasskeyChallenge,
    PasswordAttempts,
    PasswordReset,
    SentCode,
    Session,
    TrustedDevice,
)
"""What names its user by `user_id`."""


class DeletionRepository:
    """What closing an account writes."""

    async def remove(self, user: User, transaction: AsyncClientSession) -> None:
        """Delete the account with its sessions and what waits for its address."""
        for of_account in (User, KnownPlaces, MfaRecovery, SecondFactors):
            await of_account.get_pymongo_collection().delete_one({"_id": user.id}, session=transaction)
        for of_user in OF_USER:
            await of_user.get_pymongo_collection().delete_many({"user_id": user.id}, session=transaction)
        await PasswordAttempts.get_pymongo_collection().delete_one({"_id": token_hash(user.email)}, session=transaction)
        await Registration.get_pymongo_collection().delete_many({"email": user.email}, session=transaction)

    async def close(
        self, user_id: UUID, until: datetime, token_hash: bytes, transaction: AsyncClientSession
    ) -> User | None:
        """Close the account until that moment and raise its token version; as it was before, None when it is closed."""
        moment = now()
        closed = await User.get_pymongo_collection().update_one(
            {"_id": user_id, "closing_at": None},
            {
                "$set": {
                    "closing_at": until,
                    "closing_token": token_hash,
                    "closing_mailed_at": moment,
                    "updated_at": moment,
                },
                "$inc": {"token_version": 1},
            },
            session=transaction,
        )
        user = await User.get(user_id, session=transaction) if closed.matched_count else None
        return user.model_copy(update={"token_version": user.token_version - 1}) if user else None

    async def renew_token(
        self, user: User, token_hash: bytes, pause: timedelta, transaction: AsyncClientSession
    ) -> bool:
        """Another token that has the account back; False when the last mail is not longer ago than `pause`."""
        moment = now()
        renewed = await User.get_pymongo_collection().update_one(
            {"_id": user.id, "closing_at": {"$gt": moment}, "closing_mailed_at": {"$lt": moment - pause}},
            {"$set": {"closing_token": token_hash, "closing_mailed_at": moment}},
            session=transaction,
        )
        return renewed.matched_count == 1

    async def restore(self, token_hash: bytes, transaction: AsyncClientSession) -> UUID | None:
        """Have the account of that token back; whose it is, None when the token or its time is used up."""
        collection = User.get_pymongo_collection()
        found: Any = await collection.find_one({"closing_token": token_hash}, {"_id": 1}, session=transaction)
        if found is None:
            return None
        open_again = {"closing_at": None, "closing_mailed_at": None, "updated_at": now()}
        restored = await collection.update_one(
            {"_id": found["_id"], "closing_token": token_hash, "closing_at": {"$gt": now()}},
            {"$set": open_again, "$unset": {"closing_token": ""}},
            session=transaction,
        )
        user_id: UUID = found["_id"]
        return user_id if restored.matched_count else None

    async def due(self, limit: int) -> list[UUID]:
        """Closed accounts whose time is over."""
        condition = {"closing_at": {"$lte": now()}}
        found: list[Any] = await User.get_pymongo_collection().find(condition, {"_id": 1}).limit(limit).to_list()
        return [document["_id"] for document in found]

    async def is_due(self, user_id: UUID, transaction: AsyncClientSession) -> bool:
        """Whether it still is, under the account's lock: it may be had back at the same time."""
        locked = await User.get_pymongo_collection().update_one(
            {"_id": user_id, "closing_at": {"$lte": now()}}, {"$set": {"updated_at": now()}}, session=transaction
        )
        return locked.matched_count == 1

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
