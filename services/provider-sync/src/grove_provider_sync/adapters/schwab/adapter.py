"""Schwab: sign-in without PKCE that holds seven days, accounts by their hash, transactions by account and dates."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from grove.core.clock import now
from grove_provider_sync.adapters.schwab import mapping, walking
from grove_provider_sync.adapters.schwab.calls import NAME, AccountGone, SchwabCalls
from grove_provider_sync.adapters.schwab.published import Granted
from grove_provider_sync.adapters.schwab.settings import SchwabSettings
from grove_provider_sync.providers.adapters import Surroundings
from grove_provider_sync.providers.interface import (
    AccountData,
    Asking,
    Budget,
    Consent,
    Description,
    Grant,
    Notice,
    NoticeRefused,
    ProviderRefused,
    Return,
    Tokens,
    TransactionPage,
    Window,
)

CONSENT_DAYS = 7
"""A refresh token ends so long after the sign-in, however often it is used."""


class SchwabProvider:
    """It tells nothing by itself, takes no tokens back, and says of nothing that it was removed."""

    def __init__(self, settings: SchwabSettings, surroundings: Surroundings) -> None:
        calls = settings.schwab_calls_per_minute
        self.description = Description(
            "schwab",
            NAME,
            "brokerage",
            ("accounts", "transactions"),
            revokes=False,
            lists_all=False,
            whole=Budget(calls, 60) if calls else None,
            consent_days=CONSENT_DAYS,
        )
        self._client_id = settings.schwab_client_id
        self._page_url = settings.schwab_page_url or settings.schwab_url
        self._history_days = settings.schwab_history_days
        self._http = surroundings.connect(self.description, settings.schwab_url)
        self._calls = SchwabCalls(self._http, settings.schwab_client_id, surroundings.secret)

    async def authorize(self, asking: Asking) -> Consent:
        """Its page. Schwab knows no PKCE."""
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": asking.redirect_uri,
            "state": asking.state,
        }
        return Consent(f"{self._page_url}/v1/oauth/authorize?{urlencode(query)}")

    async def exchange(self, back: Return) -> Grant:
        """Access, for a code, for seven days."""
        if back.code is None:
            raise ProviderRefused
        signed_in = now()
        form = {"grant_type": "authorization_code", "code": back.code, "redirect_uri": back.redirect_uri}
        return Grant(_tokens(await self._calls.token(form)), ends_at=signed_in + timedelta(days=CONSENT_DAYS))

    async def refresh(self, tokens: Tokens) -> Tokens:
        """A new access token."""
        if tokens.refresh_token is None:
            raise ProviderRefused
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        return _tokens(await self._calls.token(form))

    async def revoke(self, tokens: Tokens) -> None:
        """Schwab has no call for it: tokens end by themselves."""

    async def accounts(self, access_token: str) -> Sequence[AccountData]:
        """All accounts."""
        numbers = await self._calls.account_numbers(access_token)
        return mapping.accounts(numbers, await self._calls.accounts(access_token))

    async def transactions(self, access_token: str, cursor: str | None) -> TransactionPage:
        """One page: all of one account in some days. A walk reads every account, the later ones the last days only."""
        before = walking.read(cursor) if cursor else None
        if before is None or before.over:
            numbers = await self._calls.account_numbers(access_token)
            hashes = [number.hash_value for number in numbers]
            walk = walking.begun(hashes, before, now().astimezone(UTC).date(), self._history_days)
        else:
            walk = before
        if walk.over:
            return TransactionPage((), (), walk.written(), has_more=False)
        account_id, start, end = window = walk.next_window()
        try:
            found = await self._calls.transactions(access_token, account_id, _midnight(start), _midnight(end))
        except AccountGone:
            left = walk.without_account(account_id)
            return TransactionPage((), (), left.written(), has_more=not left.over)
        booked = [mapping.transaction(item, account_id) for item in found]
        left = walk.without(window)
        return TransactionPage(
            changed=tuple(item for item in booked if item is not None),
            removed=(),
            next_cursor=left.written(),
            has_more=not left.over,
            whole=Window(account_id, start, end),
        )

    async def notices(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        """Schwab sends none."""
        raise NoticeRefused

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.aclose()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), UTC)


def _tokens(granted: Granted) -> Tokens:
    return Tokens(granted.access_token, granted.refresh_token, now() + timedelta(seconds=granted.expires_in))
