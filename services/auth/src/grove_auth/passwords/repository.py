"""Queries on password resets, and the change of a password."""

from os import urandom
from uuid import UUID

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove.core.ids import new_id
from grove_auth.models import PasswordReset, User


class PasswordRepository:
    """Links and passwords. The TTL sweep is late by up to a minute, so expiry is checked here too."""

    async def add_reset(self, reset: PasswordReset, transaction: AsyncClientSession) -> None:
        """A new link; older ones of its user no longer work."""
        await self.forget_resets(reset.user_id, transaction)
        await reset.insert(session=transaction)

    async def add_nothing(self, transaction: AsyncClientSession) -> None:
        """As much as writing a mail to the outbox, where there is nobody to write to."""
        await PasswordReset(id=urandom(32), user_id=new_id(), expires_at=now()).insert(session=transaction)

    async def reset(self, token_hash: bytes) -> PasswordReset | None:
        """The link that bears the token."""
        found = await PasswordReset.get(token_hash)
        return found if found and found.expires_at > now() else None

    async def use_reset(self, reset: PasswordReset, transaction: AsyncClientSession) -> bool:
        """Use it up; False when it was used before."""
        gone = await PasswordReset.get_pymongo_collection().delete_one({"_id": reset.id}, session=transaction)
        return gone.deleted_count == 1

    async def forget_resets(self, user_id: UUID, transaction: AsyncClientSession) -> None:
        """None of the user's links works any more."""
        await PasswordReset.get_pymongo_collection().delete_many({"user_id": user_id}, session=transaction)

    async def replace(self, user: User, password_hash: str, keep: int, transaction: AsyncClientSession) -> bool:
        """Another password and token version; False when either changed since `user` was read.

        The last `keep` passwords are remembered, the new one included.
        """
        history, moment = user.passwords[: keep - 1], now()
        changed = await User.get_pymongo_collection().update_one(
            {"_id": user.id, "password_hash": user.password_hash, "token_version": user.token_version},
            {
                "$set": {
                    "password_hash": password_hash,
                    "password_history": history,
                    "password_changed_at": moment,
                    "password_reset_required": False,
                    "updated_at": moment,
                },
                "$inc": {"token_version": 1},
            },
            session=transaction,
        )
        return changed.matched_count == 1
