"""What the gateway's process holds; the tests build the same."""

from grove.observability.health import Health
from grove.security.mtls import TlsMaterial
from grove.web.client import HttpClient, internal_client
from grove_gateway.operators.access import OperatorAccess
from grove_gateway.settings import GatewaySettings


class Resources:
    """TLS material, and a client for each service."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.tls = TlsMaterial(settings.tls_identity_file, settings.tls_ca_file)
        self.clients: dict[str, HttpClient] = {
            name: internal_client(name, url, self.tls) for name, url in settings.services.items()
        }
        self.operators = OperatorAccess(settings, lambda: self.clients["auth"])

    async def aclose(self) -> None:
        """Close connections."""
        for client in self.clients.values():
            await client.aclose()

    def health(self) -> Health:
        """The portal stands without the services."""
        return Health()
