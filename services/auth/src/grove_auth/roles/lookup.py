"""What roles permit, for everything that asks often: signing tokens, `/me`, the rule of ranks."""

import time
from collections.abc import Collection, Mapping

from pymongo.errors import DuplicateKeyError

from grove.core.clock import now
from grove_auth.models import Role
from grove_auth.roles.permissions import ADMIN, BUILT_IN, PERMISSIONS
from grove_auth.roles.repository import RoleRepository

FRESH_SECONDS = 2.0
"""How long what was read counts; another process's change is seen after it."""


class RoleLookup:
    """The roles as they were at most FRESH_SECONDS ago."""

    def __init__(self) -> None:
        self._roles = RoleRepository()
        self._held: dict[str, Role] = {}
        self._read_at = float("-inf")

    async def seed(self) -> None:
        """Make the built-in roles that are missing. What operators changed stays, but `admin` is always whole."""
        moment = now()
        for role in BUILT_IN:
            made = Role(
                id=role.name,
                description=role.description,
                permissions=sorted(role.permissions),
                rank=role.rank,
                built_in=True,
                created_at=moment,
                updated_at=moment,
            )
            try:
                await self._roles.insert(made)
            except DuplicateKeyError:
                continue
        await self._roles.complete(ADMIN, PERMISSIONS)
        self.forget()

    async def permissions_of(self, roles: Collection[str]) -> frozenset[str]:
        """What the roles permit together; a role that is gone permits nothing."""
        held = await self._current()
        return permitted([held[name] for name in roles if name in held])

    async def ranks(self) -> Mapping[str, int]:
        """The rank of each role."""
        return {name: role.rank for name, role in (await self._current()).items()}

    def forget(self) -> None:
        """Read anew next time: this process changed a role."""
        self._read_at = float("-inf")

    async def _current(self) -> dict[str, Role]:
        moment = time.monotonic()
        if moment - self._read_at > FRESH_SECONDS:
            self._held = {role.id: role for role in await self._roles.all()}
            self._read_at = moment
        return self._held


def permitted(roles: Collection[Role]) -> frozenset[str]:
    """What these roles permit together."""
    return frozenset().union(*(role.permissions for role in roles))
