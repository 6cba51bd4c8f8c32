"""What Plaid's refusals mean here."""

import re
from collections.abc import Callable
from functools import partial

import httpx2

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.plaid.published import Failure, read
from grove_provider_sync.providers.interface import (
    CursorRefused,
    HistoryChanged,
    ProviderRefused,
    ProviderThrottled,
)

NOT_READY_SECONDS = 30.0
"""Plaid fetches a new connection's history within seconds, or minutes."""

REFUSED = frozenset({"ITEM_LOGIN_REQUIRED", "ITEM_LOCKED", "INVALID_PUBLIC_TOKEN", "INVALID_LINK_TOKEN"})
WITHDRAWN = frozenset({"USER_PERMISSION_REVOKED", "ACCESS_NOT_GRANTED"})
UNKNOWN_ACCESS = frozenset({"INVALID_ACCESS_TOKEN", "ITEM_NOT_FOUND"})
_OF_ONE_ITEM = frozenset(
    {"ACCOUNTS_LIMIT", "BALANCE_LIMIT", "INSTITUTION_RATE_LIMIT", "ITEM_GET_LIMIT", "TRANSACTIONS_SYNC_LIMIT"}
)
_WORDS = {
    "INSTITUTION_DOWN": "Plaid can't reach the bank at the moment.",
    "INSTITUTION_NOT_RESPONDING": "The bank does not answer Plaid at the moment.",
    "INTERNAL_SERVER_ERROR": "Plaid has a fault at the moment.",
    "PLANNED_MAINTENANCE": "Plaid is being maintained at the moment.",
}
_CODE = re.compile(r"[A-Z_]{1,60}")


class AccessUnknown(ProviderRefused):
    """Plaid knows nothing of our access token: it was given back, or the connection was removed at Plaid."""


class KeyUnknown(UpstreamError):
    """Plaid has no such verification key."""


_MEANINGS: dict[str, Callable[[], UpstreamError]] = {
    **dict.fromkeys(UNKNOWN_ACCESS, AccessUnknown),
    **dict.fromkeys(REFUSED, ProviderRefused),
    **dict.fromkeys(WITHDRAWN, partial(ProviderRefused, "withdrawn")),
    "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION": HistoryChanged,
    "PRODUCT_NOT_READY": partial(ProviderThrottled, NOT_READY_SECONDS),
    "INVALID_WEBHOOK_VERIFICATION_KEY_ID": KeyUnknown,
}


def is_throttle(failure: Failure) -> bool:
    """Whether we called too often."""
    return failure.error_type == "RATE_LIMIT_EXCEEDED"


def is_whole(failure: Failure) -> bool:
    """Whether a throttle is meant for every call, and not for one connection's."""
    return failure.error_code not in _OF_ONE_ITEM


def is_whole_pause(answer: httpx2.Response) -> bool:
    """`is_whole` of a 429, which need not be Plaid's own words."""
    try:
        return is_whole(read(Failure, answer.content))
    except UpstreamError:
        return True


def failure_of(answer: httpx2.Response) -> Failure:
    """What a refusal says. Raises UpstreamError when it is none of Plaid's."""
    try:
        return read(Failure, answer.content)
    except UpstreamError:
        raise UpstreamError(f"Plaid answered {answer.status_code}.") from None


def error_of(failure: Failure) -> UpstreamError:
    """The error to raise."""
    code = failure.error_code
    if code in _MEANINGS:
        return _MEANINGS[code]()
    if code == "INVALID_FIELD" and "cursor" in failure.error_message:
        return CursorRefused()
    named = code if _CODE.fullmatch(code) else "an error that it does not publish"
    return UpstreamError(_WORDS.get(code, f"Plaid answered with {named}."))
