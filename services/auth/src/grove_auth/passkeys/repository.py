"""Queries on passkeys and challenges. What races is one update or one delete with a flat filter."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove_auth.models import Passkey, PasskeyChallenge


class PasskeyRepository:
    """Passkeys."""

    async def of_user(self, user_id: UUID, transaction: AsyncClientSession | None = None) -> list[Passkey]:
        """The user's passkeys, newest first."""
        return await Passkey.find({"user_id": user_id}, session=transaction).sort("-created_at").to_list()

    async def by_credential_id(self, credential_id: bytes) -> Passkey | None:
        """The passkey that answered."""
        return await Passkey.find_one({"credential_id": credential_id})

    async def insert(self, passkey: Passkey, transaction: AsyncClientSession) -> None:
        """A new passkey. Raises DuplicateKeyError for a credential that is registered, whoever has it."""
        await passkey.insert(session=transaction)

    async def use(self, passkey: Passkey, sign_count: int, backed_up: bool, moment: datetime) -> bool:
        """Remember a use; False when the passkey is gone, or has shown this counter or a higher one before."""
        lower: Any = {"$lt": sign_count} if sign_count else 0
        used = await Passkey.get_pymongo_collection().update_one(
            {"_id": passkey.id, "sign_count": lower},
            {"$set": {"sign_count": sign_count, "backed_up": backed_up, "last_used_at": moment}},
        )
        return used.matched_count == 1

    async def get(self, user_id: UUID, passkey_id: UUID, transaction: AsyncClientSession) -> Passkey | None:
        """One of the user's."""
        return await Passkey.find_one({"_id": passkey_id, "user_id": user_id}, session=transaction)

    async def delete_all(self, user_id: UUID, transaction: AsyncClientSession) -> None:
        """Remove all of the user's."""
        await Passkey.get_pymongo_collection().delete_many({"user_id": user_id}, session=transaction)

    async def exists(self, passkey_id: UUID) -> bool:
        """Whether it was not removed."""
        return await Passkey.get(passkey_id) is not None

    async def delete(self, user_id: UUID, passkey_id: UUID, transaction: AsyncClientSession) -> bool:
        """Remove the user's passkey; False when they have none with this id."""
        gone = await Passkey.get_pymongo_collection().delete_one(
            {"_id": passkey_id, "user_id": user_id}, session=transaction
        )
        return gone.deleted_count == 1


class ChallengeRepository:
    """Challenges."""

    async def insert(self, challenge: PasskeyChallenge) -> None:
        """A new challenge."""
        await challenge.insert()

    async def get(self, key: bytes) -> PasskeyChallenge | None:
        """By the hash of its id."""
        return await PasskeyChallenge.get(key)

    async def use_up(self, challenge: PasskeyChallenge) -> bool:
        """False when another answer was first."""
        gone = await PasskeyChallenge.get_pymongo_collection().delete_one({"_id": challenge.id})
        return gone.deleted_count == 1
