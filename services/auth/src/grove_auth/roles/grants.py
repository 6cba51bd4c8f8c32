"""Handing on roles and permissions: nobody gives what they don't have."""

from collections.abc import Collection
from dataclasses import dataclass

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.security.principal import Principal
from grove_auth.models import Role
from grove_auth.roles.errors import Escalation, unknown_role
from grove_auth.roles.lookup import permitted
from grove_auth.roles.permissions import ADMIN_RANK, PERMISSIONS
from grove_auth.roles.repository import RoleRepository


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody has, and so may hand on."""

    permissions: frozenset[str]
    rank: int

    def may_give(self, role: Role) -> bool:
        """Whether the role goes no further."""
        return role.rank <= self.rank and self.permissions >= set(role.permissions)

    def outranks(self, rank: int) -> bool:
        """Whether roles of that rank may be changed: administrators change all, others what is below them."""
        return self.rank >= ADMIN_RANK or rank < self.rank


OPERATOR = Standing(frozenset(PERMISSIONS), ADMIN_RANK)
"""Who works on the database itself."""


class Grants:
    """Decides about roles inside the transaction that gives them, so that no change of a role slips between."""

    def __init__(self) -> None:
        self._roles = RoleRepository()

    async def standing(self, actor: Principal, transaction: AsyncClientSession) -> Standing:
        """What the actor has now by their roles, as far as their token has it too."""
        roles = await self._roles.named(await self._roles.roles_of(actor.user_id, transaction), transaction)
        return Standing(permitted(roles) & actor.scopes, max((role.rank for role in roles), default=0))

    async def give(self, standing: Standing, names: Collection[str], transaction: AsyncClientSession) -> None:
        """Let these roles be given to an account. Raises Escalation, or Invalid for a role that is not there."""
        roles = await self._held(names, transaction)
        for name in sorted(names):
            if name not in roles:
                raise unknown_role(name)
            if not standing.may_give(roles[name]):
                raise Escalation(f"the role {name}")

    async def refusals(
        self, standing: Standing, names: Collection[str], transaction: AsyncClientSession
    ) -> dict[str, str]:
        """Which of these roles can't be given, and why."""
        roles = await self._held(names, transaction)
        reasons = {name: f"roles: there is no role {name}" for name in names if name not in roles}
        for name, role in roles.items():
            if not standing.may_give(role):
                reasons[name] = f"roles: {Escalation(f'the role {name}').message}"
        return reasons

    async def _held(self, names: Collection[str], transaction: AsyncClientSession) -> dict[str, Role]:
        """The roles of these names, which stay as they are until the transaction is over."""
        for name in sorted(names):
            await self._roles.touch(name, transaction)
        return {role.id: role for role in await self._roles.named(names, transaction)}
