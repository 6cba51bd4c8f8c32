"""Queries on second factors. What must not race is one update with a flat filter, or part of a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from grove.core.clock import now
from grove_auth.models import MfaChallenge, SecondFactors, SentCode, User
from grove_auth.models.second_factors import NEVER
from grove_auth.models.user import Method

FORGIVEN: dict[str, Any] = {"failures": 0, "locked_until": NEVER}


class FactorRepository:
    """Secrets of second factors, and the count of wrong ones."""

    async def get(self, user_id: UUID) -> SecondFactors | None:
        """The user's."""
        return await SecondFactors.get(user_id)

    async def ensure(self, user_id: UUID) -> None:
        """A document for the user, if there is none."""
        if await self.get(user_id) is not None:
            return
        try:
            await SecondFactors(id=user_id).insert()
        except DuplicateKeyError:
            return  # another request was first

    async def set_pending(self, user_id: UUID, sealed: str, until: datetime) -> None:
        """A TOTP secret that waits for its first code; it takes the place of one before."""
        await self._collection.update_one(
            {"_id": user_id}, {"$set": {"pending_secret": sealed, "pending_until": until}}
        )

    async def set_totp(self, user_id: UUID, pending: str, step: int, transaction: AsyncClientSession) -> bool:
        """Make the pending secret the one that counts; False when it is pending no more."""
        changed = await self._collection.update_one(
            {"_id": user_id, "pending_secret": pending},
            {"$set": {"totp_secret": pending, "totp_step": step, "pending_secret": None, "pending_until": NEVER}},
            session=transaction,
        )
        return changed.matched_count == 1

    async def set(self, user_id: UUID, transaction: AsyncClientSession, **fields: Any) -> None:
        """Change fields."""
        await self._collection.update_one({"_id": user_id}, {"$set": fields}, session=transaction)

    async def remove(self, user_id: UUID, transaction: AsyncClientSession) -> None:
        """Nothing is left of them."""
        await self._collection.delete_one({"_id": user_id}, session=transaction)

    async def change_user(self, user: User, methods: Sequence[Method], transaction: AsyncClientSession) -> bool:
        """Say on the account which methods are on; False when they changed since it was read.

        Sign-ins and codes under way end with it.
        """
        changed = await User.get_pymongo_collection().update_one(
            {"_id": user.id, "mfa_version": user.mfa_version},
            {"$set": {"second_factors": list(methods), "updated_at": now()}, "$inc": {"mfa_version": 1}},
            session=transaction,
        )
        await MfaChallenge.get_pymongo_collection().delete_many({"user_id": user.id}, session=transaction)
        await SentCode.get_pymongo_collection().delete_many({"user_id": user.id}, session=transaction)
        return changed.matched_count == 1

    async def take_step(self, factors: SecondFactors, step: int) -> bool:
        """Use up a TOTP code; False when it, or a later one, was used before, or the secret is another one."""
        used = await self._collection.update_one(
            {"_id": factors.id, "totp_secret": factors.totp_secret, "totp_step": {"$lt": step}},
            {"$set": {"totp_step": step}},
        )
        return used.modified_count == 1

    async def take_backup_code(self, user_id: UUID, hashed: bytes, transaction: AsyncClientSession) -> bool:
        """Use up a backup code; False when it is none, or was used before."""
        used = await self._collection.update_one(
            {"_id": user_id, "backup_hashes": hashed}, {"$pull": {"backup_hashes": hashed}}, session=transaction
        )
        return used.modified_count == 1

    async def count_failure(self, user_id: UUID, before: int, locked_until: datetime) -> bool:
        """One more wrong one in a row; False when another request counted meanwhile."""
        counted = await self._collection.update_one(
            {"_id": user_id, "failures": before}, {"$set": {"failures": before + 1, "locked_until": locked_until}}
        )
        return counted.modified_count == 1

    async def forgive(self, user_id: UUID) -> None:
        """A right one: begin anew."""
        await self._collection.update_one({"_id": user_id}, {"$set": FORGIVEN})

    @property
    def _collection(self) -> AsyncCollection[Any]:
        return SecondFactors.get_pymongo_collection()


class ChallengeRepository:
    """Sign-ins that wait for a second factor. The TTL sweep is late by up to a minute, so expiry is checked here."""

    async def get(self, token_hash: bytes) -> MfaChallenge | None:
        """The one whose token it is, while it has tries left."""
        found = await MfaChallenge.get(token_hash)
        return found if found and found.left > 0 and found.expires_at > now() else None

    async def take_try(self, token_hash: bytes) -> bool:
        """Use up one try; False when none is left or its time is over."""
        taken = await MfaChallenge.get_pymongo_collection().update_one(
            {"_id": token_hash, "left": {"$gt": 0}, "expires_at": {"$gt": now()}}, {"$inc": {"left": -1}}
        )
        return taken.modified_count == 1

    async def use(self, token_hash: bytes) -> bool:
        """Use it up; False when it was used before."""
        gone = await MfaChallenge.get_pymongo_collection().delete_one({"_id": token_hash})
        return gone.deleted_count == 1


class CodeRepository:
    """Codes that were sent."""

    async def replace(self, code: SentCode, most: int) -> bool:
        """The newest code of its id; False when `most` were sent already."""
        collection = SentCode.get_pymongo_collection()
        await collection.delete_one({"_id": code.id, "expires_at": {"$lte": now()}})
        try:
            await code.insert()
        except DuplicateKeyError:
            fields = code.model_dump(include={"method", "code_hash", "phone", "left", "expires_at"})
            changed = await collection.update_one(
                {"_id": code.id, "sent": {"$lt": most}}, {"$set": fields, "$inc": {"sent": 1}}
            )
            return changed.modified_count == 1
        return True

    async def not_sent(self, code_id: bytes) -> None:
        """Nobody got the newest one: it is not counted."""
        await SentCode.get_pymongo_collection().update_one({"_id": code_id}, {"$inc": {"sent": -1}})

    async def take_try(self, code_id: bytes) -> SentCode | None:
        """The code, after one of its tries was used up; None when none is left or its time is over."""
        taken = await SentCode.get_pymongo_collection().update_one(
            {"_id": code_id, "left": {"$gt": 0}, "expires_at": {"$gt": now()}}, {"$inc": {"left": -1}}
        )
        return await SentCode.get(code_id) if taken.modified_count == 1 else None

    async def use(self, code: SentCode) -> bool:
        """Use it up; False when it was used or replaced before."""
        gone = await SentCode.get_pymongo_collection().delete_one({"_id": code.id, "code_hash": code.code_hash})
        return gone.deleted_count == 1
