"""Which issuers are offered: those that are configured."""

from collections.abc import Callable

from grove.core.errors import NotFound
from grove.web.client import HttpClient, outside_client
from grove_auth.settings import AuthSettings
from grove_auth.social.providers.configuration import ProviderSettings
from grove_auth.social.providers.github import GithubProvider
from grove_auth.social.providers.interface import Provider
from grove_auth.social.providers.oidc import AppleProvider, OidcProvider

KINDS: dict[str, Callable[[ProviderSettings, HttpClient, Callable[[], str]], Provider]] = {
    "oidc": OidcProvider,
    "google": OidcProvider,
    "apple": AppleProvider,
    "github": GithubProvider,
}


class ProviderNotFound(NotFound):
    """404."""

    message = "There is no provider with this key."


class Providers:
    """The issuers of this process."""

    def __init__(self, settings: AuthSettings) -> None:
        self._providers = {given.key: _provider(given, settings) for given in settings.oauth_providers}

    def get(self, key: str) -> Provider:
        """One of them. Raises ProviderNotFound."""
        found = self._providers.get(key)
        if found is None:
            raise ProviderNotFound
        return found

    async def aclose(self) -> None:
        """Close connections."""
        for provider in self._providers.values():
            await provider.aclose()


def _provider(given: ProviderSettings, settings: AuthSettings) -> Provider:
    seconds = settings.oauth_seconds
    client = outside_client(
        given.key, given.issuer_url, total=seconds, connect=min(seconds, 5), read=seconds, pool=min(seconds, 5)
    )
    return KINDS[given.kind](given, client, lambda: settings.secrets.read(given.secret_name))
