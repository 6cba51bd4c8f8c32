"""The Valkey client."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from grove.core.settings import ServiceSettings

VALKEY_ERRORS = (RedisError, ConnectionError, OSError, TimeoutError)


class _FileCredentials(CredentialProvider):
    """Reads the password at each connect, so a rotated one needs no restart."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings

    def get_credentials(self) -> tuple[str, str]:
        """(user, password)."""
        return self._settings.valkey_username or self._settings.service, self._settings.secrets.read("valkey_password")

    async def get_credentials_async(self) -> tuple[str, str]:
        """The same; reading a small file does not hold up the loop."""
        return self.get_credentials()


def create_valkey(settings: ServiceSettings) -> Redis:
    """A client that gives up quickly: what uses it has a way to go on without."""
    return Redis(
        host=settings.valkey_host,
        port=settings.valkey_port,
        credential_provider=_FileCredentials(settings),
        socket_timeout=1.0,
        socket_connect_timeout=0.5,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=30,
    )
