"""Calls to Schwab's Trader API, and what its refusals mean here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.schwab.published import (
    ACCOUNT_NUMBERS,
    ACCOUNTS,
    GRANTED,
    REFUSAL,
    TRANSACTIONS,
    Account,
    AccountNumber,
    Granted,
    Transaction,
)
from grove_provider_sync.providers.http import ProviderHttp, content_of
from grove_provider_sync.providers.interface import ProviderRefused
from grove_provider_sync.providers.published import read

NAME = "Schwab"
CREDENTIAL = "schwab_client_secret"
MOST_ROWS = 3000
"""An answer with so many rows may lack some."""
TICK = timedelta(milliseconds=1)
"""Schwab's moments are no finer."""
TYPES = (
    "TRADE,RECEIVE_AND_DELIVER,DIVIDEND_OR_INTEREST,ACH_RECEIPT,ACH_DISBURSEMENT,CASH_RECEIPT,CASH_DISBURSEMENT,"
    "ELECTRONIC_FUND,WIRE_OUT,WIRE_IN,JOURNAL,MEMORANDUM,MARGIN_CALL,MONEY_MARKET,SMA_ADJUSTMENT"
)
"""All that it knows; none may be left out."""
_DEAD_TOKEN = ("invalid_grant", "refresh_token_authentication_error")

T = TypeVar("T")


class AccountGone(UpstreamError):
    """Schwab does not know the account (any more)."""

    message = "Schwab does not know this account any more."


class SchwabCalls:
    """Asks as one app."""

    def __init__(self, http: ProviderHttp, client_id: str, secret: Callable[[str], str]) -> None:
        self._http = http
        self._client_id = client_id
        self._secret = secret

    async def token(self, form: dict[str, str]) -> Granted:
        """Tokens, asked for once: a code works once. Raises ProviderRefused."""
        basic = httpx2.BasicAuth(self._client_id, self._secret(CREDENTIAL))
        answer = await self._http.request("POST", "/v1/oauth/token", data=form, auth=basic)
        if answer.status_code in {400, 401}:
            refusal = read(REFUSAL, answer.content, NAME)
            # of a dead refresh token Schwab says unsupported_token_type, and the cause within the description
            if any(word in f"{refusal.error} {refusal.error_description}" for word in _DEAD_TOKEN):
                raise ProviderRefused
        return _read(GRANTED, answer)

    async def account_numbers(self, access_token: str) -> tuple[AccountNumber, ...]:
        """Which accounts there are."""
        return _read(ACCOUNT_NUMBERS, await self._get("/accounts/accountNumbers", access_token, {}))

    async def accounts(self, access_token: str) -> tuple[Account, ...]:
        """What is in them."""
        return _read(ACCOUNTS, await self._get("/accounts", access_token, {}))

    async def transactions(
        self, access_token: str, account_id: str, start: datetime, end: datetime
    ) -> tuple[Transaction, ...]:
        """All of an account from `start` to before `end`, however many: asked for in halves where they are too many.

        Raises AccountGone.
        """
        query = {"startDate": _written(start), "endDate": _written(end - TICK), "types": TYPES}
        answer = await self._get(f"/accounts/{quote(account_id, safe='')}/transactions", access_token, query)
        if answer.status_code == 404:
            raise AccountGone
        found = _read(TRANSACTIONS, answer)
        if len(found) < MOST_ROWS:
            return found
        middle = start + (end - start) / 2
        middle -= timedelta(microseconds=middle.microsecond % 1000)
        if middle <= start:
            raise UpstreamError(f"{NAME} has more transactions in a moment than it tells.")
        first = await self.transactions(access_token, account_id, start, middle)
        return first + await self.transactions(access_token, account_id, middle, end)

    async def _get(self, path: str, access_token: str, query: dict[str, str]) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        answer = await self._http.request("GET", f"/trader/v1{path}", params=query, headers=headers)
        if answer.status_code == 401:
            raise ProviderRefused
        return answer


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(form: TypeAdapter[T], answer: httpx2.Response) -> T:
    return read(form, content_of(answer, NAME), NAME)
