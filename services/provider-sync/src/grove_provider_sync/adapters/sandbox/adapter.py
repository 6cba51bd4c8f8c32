"""The sandbox bank (deploy/sandbox)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx2

from grove.core.clock import now
from grove_provider_sync.adapters.sandbox.settings import SandboxSettings
from grove_provider_sync.providers.adapters import Surroundings
from grove_provider_sync.providers.http import json_of
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
    TransactionData,
    TransactionPage,
)

NAME = "Sandbox Bank"
CLIENT_ID = "grove"
SECRET = "sandbox_client_secret"  # noqa: S105 - the name of a file


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
        answer = await self._token(
            {
                "grant_type": "authorization_code",
                "code": back.code,
                "code_verifier": back.verifier,
                "redirect_uri": back.redirect_uri,
            }
        )
        ends_at = answer.get("consent_ends_at")
        return Grant(_tokens(answer), answer["customer_id"], datetime.fromisoformat(ends_at) if ends_at else None)

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens."""
        if tokens.refresh_token is None:
            raise ProviderRefused
        answer = await self._token({"grant_type": "refresh_token", "refresh_token": tokens.refresh_token})
        return _tokens(answer)

    async def revoke(self, tokens: Tokens) -> None:
        """Give the tokens back (RFC 7009)."""
        token = tokens.refresh_token or tokens.access_token
        answer = await self._http.request(
            "POST", "/oauth/revoke", repeatable=True, data={"token": token}, auth=self._basic()
        )
        if answer.status_code != 200:
            json_of(answer, NAME)

    async def accounts(self, access_token: str) -> Sequence[AccountData]:
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
        changed = [_transaction(item) for item in (*answer["added"], *answer["modified"])]
        removed = tuple(answer["removed"])
        return TransactionPage(
            changed=tuple(item for item in changed if item.id not in removed),  # it gives no id twice
            removed=removed,
            next_cursor=answer["next_cursor"],
            has_more=answer["has_more"],
        )

    async def notices(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        """It signs by Standard Webhooks."""
        raise NoticeRefused

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    def _basic(self) -> httpx2.BasicAuth:
        return httpx2.BasicAuth(CLIENT_ID, self._secret(SECRET))

    async def _token(self, form: dict[str, str]) -> dict[str, Any]:
        answer = await self._http.request("POST", "/oauth/token", data=form, auth=self._basic())
        if answer.status_code == 400:
            raise ProviderRefused
        return json_of(answer, NAME)

    async def _get(self, path: str, access_token: str, query: dict[str, str]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await self._http.request("GET", path, params=query, headers=headers)
        if answer.status_code == 401:
            raise ProviderRefused
        if answer.status_code == 409:
            raise HistoryChanged
        if answer.status_code == 410:
            raise CursorRefused
        return json_of(answer, NAME)


def _is_whole(answer: httpx2.Response) -> bool:
    return answer.headers.get("ratelimit-scope") != "customer"


def _tokens(answer: dict[str, Any]) -> Tokens:
    return Tokens(
        access_token=answer["access_token"],
        refresh_token=answer.get("refresh_token"),
        expires_at=now() + timedelta(seconds=float(answer.get("expires_in", 1800))),
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
        value_at=date.fromisoformat(item["value_on"]) if item.get("value_on") else None,
        replaces=item["replaces"],
    )
