"""The sandbox bank (deploy/sandbox)."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx2

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove.web.client import HttpClient
from grove_provider_sync.providers.interface import (
    AccountData,
    Description,
    ProviderRefused,
    ProviderThrottled,
    Tokens,
    TransactionData,
    TransactionPage,
)

CLIENT_ID = "grove"


class SandboxProvider:
    """OAuth with PKCE and a client secret; transactions by cursor."""

    description = Description("sandbox", "Sandbox Bank", "bank", ("accounts", "transactions"))

    def __init__(self, base_url: str, client_secret: str, client: HttpClient) -> None:
        self._base_url = base_url
        self._basic = httpx2.BasicAuth(CLIENT_ID, client_secret)
        self._client = client

    def authorization_url(self, *, state: str, challenge: str, redirect_uri: str) -> str:
        """Where the user consents."""
        query = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.description.scopes),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._base_url}/oauth/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """The tokens for a code."""
        answer = await self._token(
            {
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": verifier,
                "redirect_uri": redirect_uri,
            }
        )
        return _tokens(answer, None)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens. Never tried again by itself: a refresh token used twice ends the consent."""
        if tokens.refresh_token is None:
            raise ProviderRefused
        answer = await self._token({"grant_type": "refresh_token", "refresh_token": tokens.refresh_token})
        return _tokens(answer, tokens.refresh_token)

    async def revoke(self, tokens: Tokens) -> None:
        """Give the tokens back."""
        token = tokens.refresh_token or tokens.access_token
        await self._client.request("POST", "/oauth/revoke", data={"token": token}, auth=self._basic)

    async def accounts(self, access_token: str) -> list[AccountData]:
        """All accounts."""
        answer = await self._get("/api/accounts", access_token, {})
        return [
            AccountData(
                id=item["id"],
                name=item["name"],
                type=item["type"],
                mask=item["mask"],
                currency=item["currency"],
                balance=Decimal(item["balance"]),
                available=Decimal(item["available"]),
            )
            for item in answer["accounts"]
        ]

    async def transactions(self, access_token: str, cursor: str | None) -> TransactionPage:
        """One page of what changed since the cursor."""
        answer = await self._get("/api/transactions", access_token, {"cursor": cursor} if cursor else {})
        return TransactionPage(
            changed=tuple(_transaction(item) for item in (*answer["added"], *answer["modified"])),
            removed=tuple(answer["removed"]),
            next_cursor=answer["next_cursor"],
            has_more=answer["has_more"],
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def _token(self, form: dict[str, str]) -> dict[str, Any]:
        answer = await self._client.request("POST", "/oauth/token", data=form, auth=self._basic)
        if answer.status_code == 400:
            raise ProviderRefused
        return _checked(answer)

    async def _get(self, path: str, access_token: str, query: dict[str, str]) -> dict[str, Any]:
        answer = await self._client.request(
            "GET", path, params=query, headers={"Authorization": f"Bearer {access_token}"}
        )
        if answer.status_code == 401:
            raise ProviderRefused
        return _checked(answer)


def _checked(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code == 429:
        wait = answer.headers.get("retry-after", "")
        raise ProviderThrottled(int(wait) if wait.isdigit() else 60)
    if answer.status_code != 200:
        raise UpstreamError(f"The provider answered {answer.status_code}.")
    return dict(answer.json())


def _tokens(answer: dict[str, Any], old_refresh_token: str | None) -> Tokens:
    return Tokens(
        access_token=answer["access_token"],
        refresh_token=answer.get("refresh_token") or old_refresh_token,
        expires_at=now() + timedelta(seconds=int(answer.get("expires_in", 1800))),
    )


def _transaction(item: dict[str, Any]) -> TransactionData:
    return TransactionData(
        id=item["id"],
        account_id=item["account_id"],
        amount=Decimal(item["amount"]),
        currency=item["currency"],
        description=item["description"],
        category=item["category"],
        status=item["status"],
        booked_at=date.fromisoformat(item["booked_on"]),
        replaces=item["replaces"],
    )
