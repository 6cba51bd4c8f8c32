"""Trusted devices as JSON."""

from uuid import UUID

from grove.core.schema import Moment, Outgoing


class DeviceRead(Outgoing):
    """A browser that may skip the second factor."""

    id: UUID
    name: str
    created_at: Moment
    last_used_at: Moment
    expires_at: Moment
    current: bool


class DeviceList(Outgoing):
    """All of them."""

    items: list[DeviceRead]
