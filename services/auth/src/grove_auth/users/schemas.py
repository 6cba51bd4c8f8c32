"""Accounts as JSON."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from grove.core.schema import Incoming, Moment, Outgoing
from grove_auth.registrations.schemas import Locale, Timezone


class Me(Outgoing):
    """The signed-in account."""

    id: UUID
    email: str
    email_verified: bool
    roles: list[str]
    permissions: list[str]
    mfa_enabled: bool
    mfa_required: bool = Field(
        description="Your role needs a second factor and you have none: until then you may only read your account"
    )
    locale: str
    timezone: str
    marketing: bool
    created_at: Moment


class Restore(Incoming):
    """The token of the mailed link."""

    token: Annotated[str, Field(min_length=1, max_length=200)]


class MePatch(Incoming):
    """The fields to change."""

    locale: Locale = "en"
    timezone: Timezone = "UTC"
    marketing: bool = False
