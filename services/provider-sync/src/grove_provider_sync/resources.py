"""What the processes of the provider-sync service hold; the tests build the same."""

from collections.abc import Sequence

from grove.observability.health import Health, while_true
from grove.security.encryption import FieldCipher
from grove.security.envelopes import EnvelopeCipher
from grove.service.postgres import PostgresResources
from grove.service.resources import SignIn
from grove_provider_sync.providers.adapters import AdapterSettings
from grove_provider_sync.providers.registry import Providers
from grove_provider_sync.settings import ProviderSyncSettings


class Resources(PostgresResources):
    """Everything of both processes. `offered`: the adapters that are set up."""

    def __init__(self, settings: ProviderSyncSettings, offered: Sequence[AdapterSettings]) -> None:
        super().__init__(settings)
        self.settings = settings
        self.sign_in = SignIn(settings, self)
        self.token_cipher = EnvelopeCipher(FieldCipher(lambda: settings.secrets.read("token_key_ring")))
        self.providers = Providers(settings, self.valkey, offered)

    async def aclose(self) -> None:
        """Close connections."""
        await super().aclose()
        await self.sign_in.aclose()
        await self.providers.aclose()

    def api_health(self) -> Health:
        """The checks of an api process."""
        feed = self.sign_in.feed
        return Health(
            required={
                "database": self.check_database,
                "revocations": while_true(lambda: feed.loaded_once, "the revocation snapshot was never loaded"),
            },
            degrading={
                "cache": self.check_valkey,
                "revocation_feed": while_true(lambda: feed.live, "lost; auth is asked about each token"),
            },
        )
