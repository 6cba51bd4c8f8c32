"""Calls to issuers."""

from typing import Any

from grove.core.errors import ServiceUnavailable
from grove.web.client import HttpClient
from grove_auth.social.providers.interface import ProviderMisbehaved


async def json_of(client: HttpClient, method: str, url: str, *, reason: str, **kwargs: Any) -> Any:
    """The JSON of an answer. Raises ProviderMisbehaved with `reason` for another one."""
    answer = await client.request(method, url, **kwargs)
    if answer.status_code == 429:
        raise ServiceUnavailable
    if answer.status_code != 200:
        raise ProviderMisbehaved(reason)
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise ProviderMisbehaved(reason) from None


async def object_of(client: HttpClient, method: str, url: str, *, reason: str, **kwargs: Any) -> dict[str, Any]:
    """The same for an object."""
    found = await json_of(client, method, url, reason=reason, **kwargs)
    if not isinstance(found, dict):
        raise ProviderMisbehaved(reason)
    return found


def text(value: Any) -> str:
    """A claim that should be text, empty when it is not."""
    return value if isinstance(value, str) else ""
