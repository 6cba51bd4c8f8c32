"""Calls to Plaid: each is a POST with our client's name and secret."""

from collections.abc import Callable
from typing import Any, TypeVar

from grove_provider_sync.adapters.plaid.failures import error_of, failure_of, is_throttle, is_whole
from grove_provider_sync.adapters.plaid.published import read
from grove_provider_sync.providers.http import PAUSE_SECONDS, ProviderHttp
from grove_provider_sync.providers.published import Published

SECRET = "plaid_secret"  # noqa: S105 - the name of a file  # pragma: allowlist secret
VERSION = "2020-09-14"

P = TypeVar("P", bound=Published)


class PlaidCalls:
    """Asks as one client."""

    def __init__(self, http: ProviderHttp, client_id: str, secret: Callable[[str], str]) -> None:
        self._http = http
        self._client_id = client_id
        self._secret = secret

    async def ask(self, path: str, body: dict[str, Any], form: type[P]) -> P:
        """Ask for what changes nothing at Plaid, or nothing a second time: it may be tried again."""
        return await self._post(path, body, form, repeatable=True)

    async def tell(self, path: str, body: dict[str, Any], form: type[P]) -> P:
        """Have something done that may not be done twice."""
        return await self._post(path, body, form, repeatable=False)

    async def _post(self, path: str, body: dict[str, Any], form: type[P], *, repeatable: bool) -> P:
        headers = {
            "PLAID-CLIENT-ID": self._client_id,
            "PLAID-SECRET": self._secret(SECRET),
            "Plaid-Version": VERSION,
        }
        answer = await self._http.request("POST", path, repeatable=repeatable, json=body, headers=headers)
        if answer.status_code == 200:
            return read(form, answer.content)
        failure = failure_of(answer)
        if is_throttle(failure):  # Plaid throttles with a 400 too
            await self._http.pause(PAUSE_SECONDS, whole=is_whole(failure))
        raise error_of(failure)
