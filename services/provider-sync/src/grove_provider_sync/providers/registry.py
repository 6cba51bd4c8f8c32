"""Which providers are offered: the adapters in `grove_provider_sync.adapters` that are set up."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import httpx2
from pydantic import ValidationError

from grove.core.errors import NotFound
from grove.core.secrets import SecretMissing
from grove.web.client import outside_client
from grove_provider_sync import adapters
from grove_provider_sync.providers.adapters import AdapterSettings, Offer, Surroundings
from grove_provider_sync.providers.http import ProviderHttp
from grove_provider_sync.providers.interface import Description, Provider
from grove_provider_sync.providers.turns import Turns
from grove_provider_sync.settings import ProviderSyncSettings


class ProviderNotFound(NotFound):
    """404."""

    message = "There is no provider with this key."


def offers() -> list[Offer]:
    """What the folders of `adapters` offer, by name."""
    names = sorted(module.name for module in iter_modules(adapters.__path__))
    return [import_module(f"{adapters.__name__}.{name}").OFFER for name in names]


def settings_classes() -> list[type[AdapterSettings]]:
    """The settings of all adapters, for docs/configuration.md."""
    return [offer.settings for offer in offers()]


def load_adapters(settings: ProviderSyncSettings) -> list[AdapterSettings]:
    """The settings of those that are set up; on a missing or unsafe value the process ends with a clear message."""
    try:
        found = [each for each in (offer.settings() for offer in offers()) if each.offered]
        for each in found:
            for name in each.required_secrets:
                settings.secrets.read(name)
    except (ValidationError, SecretMissing) as error:
        sys.exit(f"{settings.service}: a provider can't be offered: {error}\nSee docs/configuration.md.")
    return found


class Providers:
    """The adapters of this process."""

    def __init__(self, settings: ProviderSyncSettings, valkey: Any, offered: Sequence[AdapterSettings]) -> None:
        self._settings = settings
        self._turns = Turns(valkey, settings.service, wait_seconds=settings.provider_wait_seconds)
        surroundings = Surroundings(self._connect, settings.secrets.read)
        builds = {offer.settings: offer.build for offer in offers()}
        made = [builds[type(own)](own, surroundings) for own in offered]
        self._providers = {provider.description.key: provider for provider in made}

    def get(self, key: str) -> Provider:
        """The adapter. Raises ProviderNotFound."""
        found = self._providers.get(key)
        if found is None:
            raise ProviderNotFound
        return found

    def describe(self, key: str) -> Description:
        """What it is; of one that is no longer offered only its name."""
        found = self._providers.get(key)
        return found.description if found else Description(key, key, "bank", ())

    def all(self) -> list[Provider]:
        """All adapters."""
        return list(self._providers.values())

    async def seconds_paused(self, key: str) -> float:
        """How long the provider wants all callers to wait; 0 when it does not."""
        return await self._turns.seconds_paused(self.describe(key))

    async def aclose(self) -> None:
        """Close connections."""
        for provider in self._providers.values():
            await provider.aclose()

    def _connect(
        self, provider: Description, url: str, *, whole_pause: Callable[[httpx2.Response], bool] = lambda _: True
    ) -> ProviderHttp:
        client = outside_client(
            provider.name,
            url,
            total=self._settings.provider_total_seconds,
            connect=self._settings.provider_connect_seconds,
            read=self._settings.provider_read_seconds,
            pool=self._settings.provider_pool_seconds,
        )
        return ProviderHttp(provider, client, self._turns, whole_pause=whole_pause)
