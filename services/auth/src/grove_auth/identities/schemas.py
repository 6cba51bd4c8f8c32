"""Linked identities as JSON."""

from grove.core.schema import Moment, Outgoing


class IdentityRead(Outgoing):
    """An account at a provider that opens yours. `email`: what the provider said when it was linked."""

    provider: str
    email: str
    created_at: Moment


class IdentityList(Outgoing):
    """All of yours."""

    items: list[IdentityRead]
