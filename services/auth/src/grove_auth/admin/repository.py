"""Queries on accounts, for administrators."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from beanie.odm.enums import SortDirection
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.admin.schemas import UserFilter
from grove_auth.models import DeletedUser, User


class AdminRepository:
    """Accounts."""

    async def page(self, wanted: UserFilter) -> tuple[list[User], int]:
        """One page, newest first unless `sort` says otherwise, and how many there are."""
        condition = _condition(wanted)
        direction = SortDirection.ASCENDING if wanted.sort == "created_at" else SortDirection.DESCENDING
        found = User.find(condition).sort([("created_at", direction), ("_id", direction)])
        return await found.skip(wanted.offset).limit(wanted.size).to_list(), await User.find(condition).count()

    async def set_block(
        self,
        user: User,
        until: datetime | None,
        reason: str | None,
        raise_version: int,
        transaction: AsyncClientSession,
    ) -> bool:
        """Block, or take a block back; False when block or roles are others than were read."""
        changed = await User.get_pymongo_collection().update_one(
            {"_id": user.id, "blocked_until": user.blocked_until, "roles": user.roles},
            {
                "$set": {"blocked_until": until, "block_reason": reason, "updated_at": now()},
                "$inc": {"token_version": raise_version},
            },
            session=transaction,
        )
        return changed.matched_count == 1

    async def change(
        self, user: User, changes: dict[str, Any], raise_version: int, transaction: AsyncClientSession
    ) -> bool:
        """Set fields; False when roles or token version are others than were read."""
        changed = await User.get_pymongo_collection().update_one(
            {"_id": user.id, "roles": user.roles, "token_version": user.token_version},
            {"$set": {**changes, "updated_at": now()}, "$inc": {"token_version": raise_version}},
            session=transaction,
        )
        return changed.matched_count == 1

    async def was_deleted(self, user_id: UUID) -> bool:
        """Whether there was an account with this id."""
        return await DeletedUser.get(user_id) is not None

    async def expired_blocks(self, limit: int) -> list[UUID]:
        """Accounts whose block is over."""
        found: list[Any] = (
            await User.get_pymongo_collection()
            .find({"blocked_until": {"$lte": now()}}, {"_id": 1})
            .limit(limit)
            .to_list()
        )
        return [document["_id"] for document in found]


def _condition(wanted: UserFilter) -> dict[str, Any]:
    condition: dict[str, Any] = {}
    if wanted.role is not None:
        condition["roles"] = wanted.role
    if wanted.blocked is not None:
        condition["blocked_until"] = {"$gt": now()} if wanted.blocked else {"$not": {"$gt": now()}}
    if wanted.date_from is not None or wanted.date_to is not None:
        bounds = {"$gte": wanted.date_from, "$lt": wanted.date_to}
        condition["created_at"] = {name: moment for name, moment in bounds.items() if moment is not None}
    if wanted.q is not None:
        condition["email"] = {"$regex": "^" + re.escape(wanted.q.lower())}
    return condition
