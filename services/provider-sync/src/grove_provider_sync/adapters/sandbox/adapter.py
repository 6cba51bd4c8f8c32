"""The sandbox bank (deploy/sandbox)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlencode

import httpx2
from standardwebhooks import Webhook, WebhookVerificationError

from grove.core.clock import now
from grove_provider_sync.adapters.sandbox import mapping
from grove_provider_sync.adapters.sandbox.published import (
    ACCOUNTS,
    CHANGES,
    GRANTED,
    REFUSAL,
    WEBHOOK,
    Granted,
    Refusal,
)
from grove_provider_sync.adapters.sandbox.settings import SandboxSettings
from grove_provider_sync.providers.adapters import Surroundings
from grove_provider_sync.providers.http import content_of
from grove_provider_sync.providers.interface import (
    AccountData,
    Asking,
    Budget,
    Consent,
    CursorRefused,
    Description,
    Grant,
    HistoryChanged,
    Notice,
    NoticeRefused,
    ProviderRefused,
    Return,
    Tokens,
    TransactionPage,
)
from grove_provider_sync.providers.published import read

NAME = "Sandbox Bank"
CLIENT_ID = "grove"
CREDENTIAL = "sandbox_client_secret"
WEBHOOK_CREDENTIAL = "sandbox_webhook_secret"


class SandboxProvider:
    """OAuth with PKCE and a client secret; transactions by cursor."""

    def __init__(self, settings: SandboxSettings, surroundings: Surroundings) -> None:
        whole, each = settings.sandbox_calls_per_second, settings.sandbox_connection_calls_per_second
        self.description = Description(
            "sandbox",
            NAME,
            "bank",
            ("accounts", "transactions"),
            webhooks=True,
            whole=Budget(whole, 1) if whole else None,
            each=Budget(each, 1) if each else None,
        )
        self._page_url = settings.sandbox_page_url or settings.sandbox_url
        self._secret = surroundings.secret
        self._http = surroundings.connect(self.description, settings.sandbox_url, whole_pause=_is_whole)

    async def authorize(self, asking: Asking) -> Consent:
        """Its page."""
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": asking.redirect_uri,
            "scope": " ".join(self.description.scopes),
            "state": asking.state,
            "code_challenge": asking.challenge,
            "code_challenge_method": "S256",
        }
        return Consent(f"{self._page_url}/oauth/authorize?{urlencode(query)}")

    async def exchange(self, back: Return) -> Grant:
        """Access, for a code."""
        if back.code is None:
            raise ProviderRefused
        granted = await self._token(
            {
                "grant_type": "authorization_code",
                "code": back.code,
                "code_verifier": back.verifier,
                "redirect_uri": back.redirect_uri,
            }
        )
        return Grant(_tokens(granted), granted.customer_id, granted.consent_ends_at)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens."""
        if tokens.refresh_token is None:
            raise ProviderRefused
        return _tokens(await self._token({"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}))

    async def revoke(self, tokens: Tokens) -> None:
        """Give the tokens back (RFC 7009)."""
        token = tokens.refresh_token or tokens.access_token
        answer = await self._http.request(
            "POST", "/oauth/revoke", repeatable=True, data={"token": token}, auth=self._basic()
        )
        content_of(answer, NAME)

    async def accounts(self, access_token: str) -> Sequence[AccountData]:
        """All accounts."""
        answer = await self._get("/api/accounts", access_token, {})
        return [mapping.account(item) for item in read(ACCOUNTS, answer, NAME).accounts]

    async def transactions(self, access_token: str, cursor: str | None) -> TransactionPage:
        """One page of what changed since the cursor."""
        answer = await self._get("/api/transactions", access_token, {"cursor": cursor} if cursor else {})
        return mapping.page(read(CHANGES, answer, NAME))

    async def notices(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        """It signs by Standard Webhooks; what is older than five minutes is refused. Raises UpstreamError as well."""
        try:
            Webhook(self._secret(WEBHOOK_CREDENTIAL)).verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError):  # the latter for a signature or body of no form at all
            raise NoticeRefused from None
        return mapping.notices(read(WEBHOOK, body, NAME))

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    def _basic(self) -> httpx2.BasicAuth:
        return httpx2.BasicAuth(CLIENT_ID, self._secret(CREDENTIAL))

    async def _token(self, form: dict[str, str]) -> Granted:
        answer = await self._http.request("POST", "/oauth/token", data=form, auth=self._basic())
        if answer.status_code == 400:
            refusal = read(REFUSAL, answer.content, NAME)
            if refusal.error == "invalid_grant":
                raise _refused(refusal)
        return read(GRANTED, content_of(answer, NAME), NAME)

    async def _get(self, path: str, access_token: str, query: dict[str, str]) -> bytes:
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await self._http.request("GET", path, params=query, headers=headers)
        if answer.status_code == 401:
            raise _refused(read(REFUSAL, answer.content, NAME))
        if answer.status_code == 409:
            raise HistoryChanged
        if answer.status_code == 410:
            raise CursorRefused
        return content_of(answer, NAME)


def _is_whole(answer: httpx2.Response) -> bool:
    return answer.headers.get("ratelimit-scope") != "customer"


def _refused(refusal: Refusal) -> ProviderRefused:
    return ProviderRefused("withdrawn" if refusal.error_description == "consent withdrawn" else "refused")


def _tokens(granted: Granted) -> Tokens:
    return Tokens(granted.access_token, granted.refresh_token, now() + timedelta(seconds=granted.expires_in))
