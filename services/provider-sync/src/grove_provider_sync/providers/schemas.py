"""Providers as JSON."""

from typing import Literal

from grove.core.schema import Outgoing


class ProviderRead(Outgoing):
    """A provider that can be connected."""

    key: str
    name: str
    kind: str
    scopes: list[str]
    health: Literal["ok", "failing"]


class ProviderList(Outgoing):
    """All of them."""

    items: list[ProviderRead]
