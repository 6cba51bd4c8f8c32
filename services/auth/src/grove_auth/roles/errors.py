"""What can go wrong with roles."""

from collections.abc import Iterable

from grove.core.errors import Conflict, Forbidden, Invalid, NotFound


class RoleNotFound(NotFound):
    """404."""

    message = "There is no role with this name."


class RoleExists(Conflict):
    """409."""

    message = "There is already a role with this name."


class RoleInUse(Conflict):
    """409."""

    message = "Accounts have this role. Take it from them first."


class RoleBuiltIn(Conflict):
    """409."""

    message = "This role belongs to Grove and can't be deleted."


class AdminIsWhole(Conflict):
    """409."""

    message = "The role admin always has every permission and the highest rank. Make a role of your own instead."


class LastAdmin(Conflict):
    """409: without it, nobody could ever administer again."""

    message = "This is the last administrator who can sign in. Make somebody else an administrator first."


class Escalation(Forbidden):
    """403: more than one has oneself."""

    def __init__(self, what: str) -> None:
        super().__init__(f"You can't give {what}: it goes beyond what you may do yourself.")


def unknown_role(name: str) -> Invalid:
    """422: a role that is not there."""
    return Invalid(details=[{"field": "body.roles", "message": f"there is no role {name}", "type": "unknown_role"}])


def unknown_permissions(names: Iterable[str]) -> Invalid:
    """422: permissions that mean nothing here."""
    message = f"there is no permission {', '.join(sorted(names))}; see GET /admin/permissions"
    return Invalid(details=[{"field": "body.permissions", "message": message, "type": "unknown_permission"}])
