"""The rules of roles."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from grove.core.clock import now
from grove.security.principal import Principal
from grove_auth.models import Role
from grove_auth.resources import Resources
from grove_auth.roles.errors import (
    AdminIsWhole,
    Escalation,
    RoleBuiltIn,
    RoleExists,
    RoleInUse,
    RoleNotFound,
    unknown_permissions,
)
from grove_auth.roles.grants import Grants, Standing
from grove_auth.roles.permissions import ADMIN, PERMISSIONS
from grove_auth.roles.repository import RoleRepository
from grove_auth.roles.schemas import NewRole, RolePatch

T = TypeVar("T")


class RoleService:
    """Looks at roles and changes them. Nobody puts into a role what they don't have, or changes one above them."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._roles = RoleRepository()
        self._grants = Grants()

    async def all(self) -> list[Role]:
        """Every role, by name."""
        return await self._roles.all()

    async def get(self, name: str) -> Role:
        """One role. Raises RoleNotFound."""
        role = await self._roles.get(name)
        if role is None:
            raise RoleNotFound
        return role

    async def create(self, actor: Principal, data: NewRole) -> Role:
        """A new role. Raises RoleExists, Escalation, or Invalid for an unknown permission."""
        _check_known(data.permissions)
        moment = now()
        values = data.model_dump(exclude={"name"})
        role = Role(id=data.name, **values, created_at=moment, updated_at=moment)

        async def store(transaction: AsyncClientSession) -> None:
            standing = await self._grants.standing(actor, transaction)
            _check_within(standing, frozenset(data.permissions), data.rank)
            await self._roles.insert(role, transaction)
            await self._resources.audit.add(
                "role.created", role.id, transaction, permissions=" ".join(role.permissions)
            )

        try:
            await self._change("role.created", role.id, store)
        except DuplicateKeyError:
            raise RoleExists from None
        return await self.get(role.id)

    async def change(self, actor: Principal, name: str, data: RolePatch) -> Role:
        """Set the fields that were sent. Tokens have what the role permits from their next refresh on.

        Raises RoleNotFound, AdminIsWhole, Escalation, or Invalid for an unknown permission.
        """
        changes = data.model_dump(include=data.model_fields_set)
        if name == ADMIN and {"permissions", "rank"} & set(changes):
            raise AdminIsWhole
        _check_known(changes.get("permissions", []))
        if not changes:
            return await self.get(name)

        async def store(transaction: AsyncClientSession) -> None:
            await self._roles.touch(name, transaction)  # what is read now is what is changed
            role = await self._roles.get(name, transaction)
            if role is None:
                raise RoleNotFound
            standing = await self._grants.standing(actor, transaction)
            if not standing.outranks(role.rank):
                raise Escalation(f"another meaning to the role {name}")
            added = frozenset(changes.get("permissions", [])) - set(role.permissions)
            _check_within(standing, added, changes.get("rank", role.rank))
            await self._roles.update(name, changes, transaction)
            await self._resources.audit.add(
                "role.updated",
                name,
                transaction,
                fields=" ".join(sorted(changes)),
                permissions=" ".join(changes.get("permissions", role.permissions)),
            )

        await self._change("role.updated", name, store)
        return await self.get(name)

    async def delete(self, actor: Principal, name: str) -> None:
        """Delete a role; nothing happens when it is gone already. Raises RoleBuiltIn, RoleInUse or Escalation."""

        async def store(transaction: AsyncClientSession) -> None:
            role = await self._roles.get(name, transaction)
            if role is None:
                return
            if role.built_in:
                raise RoleBuiltIn
            standing = await self._grants.standing(actor, transaction)
            if not standing.outranks(role.rank):
                raise Escalation(f"up the role {name}")
            if await self._roles.delete(name, transaction):
                if await self._roles.in_use(name, transaction):
                    raise RoleInUse
                await self._resources.audit.add("role.deleted", name, transaction)

        await self._change("role.deleted", name, store)

    async def _change(self, action: str, name: str, store: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        try:
            changed = await self._resources.transaction(store)
        except Escalation:
            await self._resources.audit.add(action, name, outcome="failure", reason="escalation")
            raise
        self._resources.roles.forget()
        return changed


def _check_known(permissions: list[str]) -> None:
    unknown = set(permissions) - set(PERMISSIONS)
    if unknown:
        raise unknown_permissions(unknown)


def _check_within(standing: Standing, permissions: frozenset[str], rank: int) -> None:
    beyond = permissions - standing.permissions
    if beyond:
        raise Escalation(f"the permission {min(beyond)}")
    if rank > standing.rank:
        raise Escalation(f"the rank {rank}")
