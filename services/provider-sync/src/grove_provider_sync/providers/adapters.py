"""What an adapter's folder offers, and what it is built with. docs/adding-a-provider.md shows one."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import httpx2

from grove.core.settings import Concern
from grove_provider_sync.providers.http import ProviderHttp
from grove_provider_sync.providers.interface import Description, Provider


class AdapterSettings(Concern, ABC):
    """Settings of one adapter, from the environment as all are. It is offered with its `required_secrets` only."""

    service: ClassVar[str] = "provider-sync"
    required_secrets: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def offered(self) -> bool:
        """Whether there is all that it takes to offer the provider."""


class Connect(Protocol):
    """Makes the client of a provider's address."""

    def __call__(
        self, provider: Description, url: str, *, whole_pause: Callable[[httpx2.Response], bool] = ...
    ) -> ProviderHttp:
        """`whole_pause`: whether a 429 is meant for all connections; by default it is."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the service gives to an adapter. `secret` reads a secret file, at each use, since they are rotated."""

    connect: Connect
    secret: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Offer:
    """An adapter: each folder of `adapters` has one, named OFFER."""

    settings: type[AdapterSettings]
    build: Callable[[Any, Surroundings], Provider]
