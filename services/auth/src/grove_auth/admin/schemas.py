"""Accounts as administrators see them."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from grove.core.clock import now
from grove.core.emails import Email
from grove.core.schema import Incoming, Moment, Outgoing
from grove.core.text import CleanLine
from grove.web.pagination import ListQuery
from grove_auth.models import User
from grove_auth.models.user import UNTIL_UNBLOCKED
from grove_auth.passwords.rules import Password
from grove_auth.registrations.schemas import Locale, Name, Timezone
from grove_auth.roles.schemas import RoleNames


def _ahead(moment: Moment) -> Moment:
    if moment <= now():
        raise ValueError("must be in the future")
    return moment


class UserRead(Outgoing):
    """An account. `blocked_until` is null for a block without an end."""

    id: UUID
    email: str
    email_verified: bool
    name: str
    roles: list[str]
    locale: str
    timezone: str
    blocked: bool
    blocked_until: Moment | None
    block_reason: str | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, user: User) -> "UserRead":
        """From the document."""
        blocked = user.blocked_until is not None and user.blocked_until > now()
        return cls(
            **user.model_dump(include=set(cls.model_fields) - {"blocked", "blocked_until", "block_reason"}),
            blocked=blocked,
            blocked_until=user.blocked_until if blocked and user.blocked_until != UNTIL_UNBLOCKED else None,
            block_reason=user.block_reason if blocked else None,
        )


class UserFilter(ListQuery):
    """What the list of accounts can be asked for."""

    role: Annotated[str | None, Field(max_length=40, description="Has this role")] = None
    blocked: Annotated[bool | None, Field(description="Is blocked, or is not")] = None
    date_from: Annotated[Moment | None, Field(description="Created at this time or later")] = None
    date_to: Annotated[Moment | None, Field(description="Created before this time")] = None
    q: Annotated[str | None, Field(min_length=1, max_length=200, description="Begins the address")] = None


FILTERS = tuple(set(UserFilter.model_fields) - set(ListQuery.model_fields))


class NewUser(Incoming):
    """An account to make."""

    email: Email
    name: Name
    password: Password | None = Field(None, description="Without one, a link that sets it is mailed")
    roles: RoleNames = ["user"]
    locale: Locale = "en"
    timezone: Timezone = "UTC"
    email_verified: bool | None = Field(
        None, description="By default as soon as the mailed link was opened, and at once with a password"
    )


class UserPatch(Incoming):
    """The fields to change. The name is the one that mails greet with; the public one belongs to the profile."""

    name: Name = ""
    locale: Locale = "en"
    timezone: Timezone = "UTC"
    roles: RoleNames = []
    email_verified: bool = False


class Block(Incoming):
    """For how long, and why. Without `until` it holds until it is taken back."""

    until: Annotated[Moment, AfterValidator(_ahead)] | None = None
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), CleanLine]
