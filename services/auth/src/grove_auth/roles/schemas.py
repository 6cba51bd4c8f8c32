"""Roles as JSON."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.schema import Incoming, Moment, Outgoing
from grove.core.text import CleanLine
from grove_auth.models import Role
from grove_auth.roles.permissions import ADMIN_RANK

RoleName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", min_length=2, max_length=40), Field(examples=["support"])
]
RoleNames = Annotated[
    list[RoleName], Field(min_length=1, max_length=20), AfterValidator(lambda names: list(dict.fromkeys(names)))
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), CleanLine]
PermissionNames = Annotated[
    list[Annotated[str, Field(max_length=60, examples=["users:read"])]],
    Field(max_length=100),
    AfterValidator(lambda names: sorted(set(names))),
]
Rank = Annotated[int, Field(ge=0, lt=ADMIN_RANK, description="Who ranks higher may act on its holders")]


class NewRole(Incoming):
    """A role to make."""

    name: RoleName
    description: Description
    permissions: PermissionNames = []
    rank: Rank = 0


class RolePatch(Incoming):
    """The fields to change."""

    description: Description = ""
    permissions: PermissionNames = []
    rank: Rank = 0


class RoleRead(Outgoing):
    """A role. Built-in ones can't be deleted."""

    name: str
    description: str
    permissions: list[str]
    rank: int
    built_in: bool
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, role: Role) -> "RoleRead":
        """From the document."""
        return cls(name=role.id, **role.model_dump(include=set(cls.model_fields) - {"name"}))


class PermissionRead(Outgoing):
    """Something that roles can permit."""

    name: str
    description: str


class PermissionList(Outgoing):
    """Everything that roles can permit."""

    items: list[PermissionRead]
