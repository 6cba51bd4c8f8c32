"""Things with a global id."""

import base64
import binascii
from enum import StrEnum
from uuid import UUID

import strawberry

from grove.core.errors import Invalid


class Kind(StrEnum):
    """What an id can be of."""

    TASK = "task"
    ACTIVITY = "activity"
    MOMENT = "moment"
    PROFILE = "profile"


@strawberry.interface(description="Something with a global id, which `node` takes.")
class Node:
    """`id` is `kind:uuid` in base64. Where an argument takes the id of one kind, its UUID does as well."""

    id: strawberry.ID = strawberry.field(description="The global id. Arguments take the UUID as well.")


def global_id(kind: Kind, uuid: UUID) -> strawberry.ID:
    """The global id of one thing."""
    return strawberry.ID(base64.b64encode(f"{kind}:{uuid}".encode()).decode())


def parse_id(given: str) -> tuple[Kind, UUID]:
    """Kind and UUID of a global id. Raises Invalid."""
    try:
        kind, _, uuid = base64.b64decode(given, validate=True).decode().partition(":")
        return Kind(kind), UUID(uuid)
    except (binascii.Error, ValueError):
        raise _unusable("id", "is no global id") from None


def uuid_of(kind: Kind, given: str, argument: str = "id") -> UUID:
    """The UUID of a thing of this kind, whose global id or UUID was given. Raises Invalid."""
    try:
        return UUID(given)
    except ValueError:
        pass
    try:
        found, uuid = parse_id(given)
    except Invalid:
        raise _unusable(argument, "is no id") from None
    if found is not kind:
        raise _unusable(argument, f"is the id of a {found.value}, not of a {kind.value}")
    return uuid


def _unusable(argument: str, message: str) -> Invalid:
    return Invalid(details=[{"field": argument, "message": message, "type": "value_error"}])
