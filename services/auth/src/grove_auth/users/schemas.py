"""Accounts as JSON."""

from uuid import UUID

from grove.core.schema import Incoming, Moment, Outgoing
from grove_auth.registrations.schemas import Locale, Timezone


class Me(Outgoing):
    """The signed-in account."""

    id: UUID
    email: str
    email_verified: bool
    roles: list[str]
    permissions: list[str]
    mfa_enabled: bool = False
    locale: str
    timezone: str
    marketing: bool
    created_at: Moment


class MePatch(Incoming):
    """The fields to change."""

    locale: Locale = "en"
    timezone: Timezone = "UTC"
    marketing: bool = False
