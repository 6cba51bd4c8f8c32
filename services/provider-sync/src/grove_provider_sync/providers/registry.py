"""Which providers are offered: those with an address."""

from grove.core.errors import NotFound
from grove.web.client import outside_client
from grove_provider_sync.providers.interface import Provider
from grove_provider_sync.providers.sandbox import SandboxProvider
from grove_provider_sync.settings import ProviderSyncSettings


class ProviderNotFound(NotFound):
    """404."""

    message = "There is no provider with this key."


class Providers:
    """The adapters of this process."""

    def __init__(self, settings: ProviderSyncSettings) -> None:
        self._providers: dict[str, Provider] = {}
        if settings.sandbox_url:
            client = outside_client(
                "Sandbox Bank",
                settings.sandbox_url,
                total=settings.provider_total_seconds,
                connect=settings.provider_connect_seconds,
                read=settings.provider_read_seconds,
                pool=settings.provider_pool_seconds,
            )
            secret = settings.secrets.read("sandbox_client_secret")
            self._add(SandboxProvider(settings.sandbox_url, secret, client))

    def get(self, key: str) -> Provider:
        """The adapter. Raises ProviderNotFound."""
        found = self._providers.get(key)
        if found is None:
            raise ProviderNotFound
        return found

    def all(self) -> list[Provider]:
        """All adapters."""
        return list(self._providers.values())

    async def aclose(self) -> None:
        """Close connections."""
        for provider in self._providers.values():
            await provider.aclose()

    def _add(self, provider: Provider) -> None:
        self._providers[provider.description.key] = provider
