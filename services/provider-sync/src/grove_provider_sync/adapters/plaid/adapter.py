"""Plaid: a user's login at a bank is an item there; an item has one access token, which does not end by itself."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import structlog

from grove.core.errors import UpstreamError, UpstreamTimeout
from grove.web.client import CircuitOpen
from grove_provider_sync.adapters.plaid import mapping
from grove_provider_sync.adapters.plaid.calls import PlaidCalls
from grove_provider_sync.adapters.plaid.failures import NOT_READY_SECONDS, AccessUnknown, is_whole_pause
from grove_provider_sync.adapters.plaid.notices import notices_in
from grove_provider_sync.adapters.plaid.published import (
    Accounts,
    Done,
    Exchanged,
    Item,
    ItemFound,
    LinkToken,
    LinkTokenCreated,
    Synced,
    VerificationKey,
    VerificationKeyFound,
)
from grove_provider_sync.adapters.plaid.settings import PlaidSettings
from grove_provider_sync.adapters.plaid.signatures import Signatures
from grove_provider_sync.adapters.plaid.verification_keys import VerificationKeys
from grove_provider_sync.providers.adapters import Surroundings
from grove_provider_sync.providers.interface import (
    AccountData,
    Asking,
    Budget,
    Consent,
    Description,
    Grant,
    Notice,
    ProviderRefused,
    ProviderThrottled,
    Return,
    Tokens,
    TransactionPage,
)

log = structlog.get_logger()

UPDATE = "update:"
"""Before the kept link token of a user who mends the access that we hold."""
END_SECONDS = 2.0
"""How long a new access token may wait for when it ends: a user waits, and it must not be lost."""


class PlaidProvider:
    """Hosted Link for consent, `/transactions/sync` for bookings."""

    def __init__(self, settings: PlaidSettings, surroundings: Surroundings) -> None:
        whole, each = settings.plaid_calls_per_minute, settings.plaid_item_calls_per_minute
        self.description = Description(
            "plaid",
            "Plaid",
            "aggregator",
            ("transactions",),
            refreshes=False,
            code=False,
            webhooks=True,
            lasting_ids=False,
            whole=Budget(whole, 60) if whole else None,
            each=Budget(each, 60) if each else None,
        )
        self._settings = settings
        self._http = surroundings.connect(self.description, settings.plaid_url, whole_pause=is_whole_pause)
        self._calls = PlaidCalls(self._http, settings.plaid_client_id, surroundings.secret)
        self._signatures = Signatures(VerificationKeys(self._verification_key))

    async def authorize(self, asking: Asking) -> Consent:
        """Plaid's page: in its update mode to mend the access that we hold, else to link a bank."""
        if asking.held is not None:
            try:
                return await self._mend(asking, asking.held)
            except ProviderRefused:
                log.info("plaid.access_beyond_mending")
        body = self._link_body(asking) | {
            "products": ["transactions"],
            "transactions": {"days_requested": self._settings.plaid_history_days},
        }
        created = await self._calls.tell("/link/token/create", body, LinkTokenCreated)
        return Consent(created.hosted_link_url, created.link_token)

    async def exchange(self, back: Return) -> Grant:
        """Access, for a user who went through Plaid's page to its end."""
        if back.secret is None:
            raise ProviderRefused
        link_token = back.secret.removeprefix(UPDATE)
        found = await self._calls.ask("/link/token/get", {"link_token": link_token}, LinkToken)
        done = [session for session in found.link_sessions if session.done]
        if not done:
            raise ProviderRefused
        if back.secret.startswith(UPDATE):
            return await self._mended(back.held)
        public_token = next((each.public_token for each in done if each.public_token), None)
        if public_token is None:
            raise ProviderRefused
        given = await self._calls.tell("/item/public_token/exchange", {"public_token": public_token}, Exchanged)
        return Grant(Tokens(given.access_token, None, None), given.item_id, await self._end(given.access_token))

    async def refresh(self, tokens: Tokens) -> Tokens:
        """There is nothing to refresh with: always ProviderRefused."""
        raise ProviderRefused

    async def revoke(self, tokens: Tokens) -> None:
        """Remove the item; Plaid bills it until then."""
        try:
            await self._calls.ask("/item/remove", {"access_token": tokens.access_token}, Done)
        except AccessUnknown:
            return

    async def accounts(self, access_token: str) -> Sequence[AccountData]:
        """All accounts; those of credit cards and loans have negative balances (see `mapping`)."""
        answer = await self._calls.ask("/accounts/get", {"access_token": access_token}, Accounts)
        return [mapping.account(item) for item in answer.accounts]

    async def transactions(self, access_token: str, cursor: str | None) -> TransactionPage:
        """One page of what changed since the cursor; money out is negative (see `mapping`).

        Plaid answers with nothing and no cursor while it has not fetched the history: asked again then, from the same
        place.
        """
        body: dict[str, Any] = {"access_token": access_token, "count": self._settings.plaid_page_size}
        if cursor is not None:
            body["cursor"] = cursor
        page = await self._calls.ask("/transactions/sync", body, Synced)
        if not page.next_cursor:
            if page.added or page.modified or page.removed or page.has_more:
                raise UpstreamError("Plaid sent `next_cursor` in another form than it publishes.")
            raise ProviderThrottled(NOT_READY_SECONDS)
        return TransactionPage(
            changed=tuple(mapping.transaction(item) for item in (*page.added, *page.modified)),
            removed=tuple(item.transaction_id for item in page.removed),
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def notices(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        """What a webhook says. Beside NoticeRefused it raises what asking Plaid for its key does."""
        signed_at = await self._signatures.check(headers.get("plaid-verification"), body)
        return notices_in(body, signed_at)

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()

    async def _mend(self, asking: Asking, held: Tokens) -> Consent:
        body = self._link_body(asking) | {"access_token": held.access_token}
        created = await self._calls.tell("/link/token/create", body, LinkTokenCreated)
        return Consent(created.hosted_link_url, UPDATE + created.link_token)

    def _link_body(self, asking: Asking) -> dict[str, Any]:
        settings = self._settings
        body: dict[str, Any] = {
            "client_name": settings.plaid_client_name,
            "country_codes": settings.plaid_country_codes,
            "language": settings.plaid_language,
            "user": {"client_user_id": asking.user},
            "hosted_link": {"completion_redirect_uri": f"{asking.redirect_uri}?{urlencode({'state': asking.state})}"},
        }
        return body | {"webhook": settings.plaid_webhook_url} if settings.plaid_webhook_url else body

    async def _mended(self, held: Tokens | None) -> Grant:
        """The access token stays as it is; the item says whether it works again."""
        if held is None:
            raise ProviderRefused
        item = await self._item(held.access_token)
        if item.error is not None:
            raise ProviderRefused
        return Grant(held, item.item_id, item.consent_expiration_time)

    async def _end(self, access_token: str) -> datetime | None:
        """When the consent ends. A token is in hand that can't be had again: failing to ask must not lose it, and
        Plaid tells of the end a week ahead.
        """
        try:
            async with asyncio.timeout(END_SECONDS):
                return (await self._item(access_token)).consent_expiration_time
        except (UpstreamError, UpstreamTimeout, CircuitOpen, TimeoutError) as error:
            log.warning("plaid.end_of_consent_unknown", reason=type(error).__name__)
            return None

    async def _item(self, access_token: str) -> Item:
        return (await self._calls.ask("/item/get", {"access_token": access_token}, ItemFound)).item

    async def _verification_key(self, key_id: str) -> VerificationKey:
        return (await self._calls.ask("/webhook_verification_key/get", {"key_id": key_id}, VerificationKeyFound)).key
