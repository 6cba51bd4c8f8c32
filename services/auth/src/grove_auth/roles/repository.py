"""Queries on roles."""

from collections.abc import Collection
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.core.clock import now
from grove_auth.models import Role, User
from grove_auth.roles.permissions import ADMIN


class RoleRepository:
    """Roles, and who has them."""

    async def all(self) -> list[Role]:
        """Every role. There are few: people make them."""
        return await Role.find({}).sort("_id").to_list()

    async def get(self, name: str, transaction: AsyncClientSession | None = None) -> Role | None:
        """By name."""
        return await Role.get(name, session=transaction)

    async def named(self, names: Collection[str], transaction: AsyncClientSession | None = None) -> list[Role]:
        """Those of `names` that exist."""
        return await Role.find({"_id": {"$in": list(names)}}, session=transaction).to_list()

    async def insert(self, role: Role, transaction: AsyncClientSession | None = None) -> None:
        """A new role. Raises DuplicateKeyError for a taken name."""
        await role.insert(session=transaction)

    async def update(self, name: str, changes: dict[str, Any], transaction: AsyncClientSession) -> None:
        """Set fields."""
        await Role.get_pymongo_collection().update_one(
            {"_id": name}, {"$set": {**changes, "updated_at": now()}}, session=transaction
        )

    async def complete(self, name: str, permissions: Collection[str]) -> None:
        """Have the role hold exactly these permissions; nothing is written when it does."""
        held = sorted(permissions)
        await Role.get_pymongo_collection().update_one(
            {"_id": name, "permissions": {"$ne": held}}, {"$set": {"permissions": held, "updated_at": now()}}
        )

    async def delete(self, name: str, transaction: AsyncClientSession) -> bool:
        """Delete it, unless it is built in; False when nothing was deleted."""
        gone = await Role.get_pymongo_collection().delete_one({"_id": name, "built_in": False}, session=transaction)
        return gone.deleted_count == 1

    async def touch(self, name: str, transaction: AsyncClientSession) -> bool:
        """Have every change of the role beside this transaction conflict with it; False when there is no such role."""
        touched = await Role.get_pymongo_collection().update_one(
            {"_id": name}, {"$inc": {"touched": 1}}, session=transaction
        )
        return touched.matched_count == 1

    async def in_use(self, name: str, transaction: AsyncClientSession) -> bool:
        """Whether an account has the role."""
        return await User.find_one({"roles": name}, session=transaction) is not None

    async def roles_of(self, user_id: Any, transaction: AsyncClientSession) -> list[str]:
        """The roles of an account as they are now; none when it is gone."""
        found: Any = await User.get_pymongo_collection().find_one({"_id": user_id}, {"roles": 1}, session=transaction)
        return list(found["roles"]) if found else []

    async def has_admin(self, transaction: AsyncClientSession) -> bool:
        """Whether an administrator is there who can sign in."""
        free = {"roles": ADMIN, "email_verified": {"$ne": False}, "blocked_until": {"$not": {"$gt": now()}}}
        return await User.find_one(free, session=transaction) is not None
