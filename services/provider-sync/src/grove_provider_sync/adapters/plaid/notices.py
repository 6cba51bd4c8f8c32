"""What Plaid's webhooks say, once it is known that they are Plaid's."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime

from grove.core.errors import UpstreamError
from grove_provider_sync.adapters.plaid.failures import REFUSED, UNKNOWN_ACCESS, WITHDRAWN
from grove_provider_sync.adapters.plaid.published import read
from grove_provider_sync.providers.interface import Notice
from grove_provider_sync.providers.published import Published, Text

ENDS_AFTER = timedelta(days=7)
"""Plaid tells of an end a week ahead."""

_Kind = Literal["news", "refused", "withdrawn", "ends_soon", "repaired"]
_KINDS: dict[tuple[str, str], _Kind | Literal["error"]] = {
    ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE"): "news",
    ("TRANSACTIONS", "INITIAL_UPDATE"): "news",
    ("TRANSACTIONS", "HISTORICAL_UPDATE"): "news",
    ("TRANSACTIONS", "DEFAULT_UPDATE"): "news",
    ("TRANSACTIONS", "TRANSACTIONS_REMOVED"): "news",
    ("ITEM", "ERROR"): "error",
    ("ITEM", "PENDING_EXPIRATION"): "ends_soon",
    ("ITEM", "PENDING_DISCONNECT"): "ends_soon",
    ("ITEM", "USER_PERMISSION_REVOKED"): "withdrawn",
    ("ITEM", "USER_ACCOUNT_REVOKED"): "withdrawn",
    ("ITEM", "LOGIN_REPAIRED"): "repaired",
}


class _Named(Published):
    webhook_type: str
    webhook_code: str


class _Cause(Published):
    error_code: str


class _OfItem(Published):
    item_id: Text
    error: _Cause | None = None
    consent_expiration_time: AwareDatetime | None = None


def notices_in(body: bytes, signed_at: datetime) -> Sequence[Notice]:
    """What is known to say something; nothing for all else that Plaid may send. Raises UpstreamError."""
    named = read(_Named, body)
    kind = _KINDS.get((named.webhook_type, named.webhook_code))
    if kind is None:
        return ()
    about = read(_OfItem, body)
    if kind == "error":
        kind = _lost(about)
    if kind is None:
        return ()
    ends_at = (about.consent_expiration_time or signed_at + ENDS_AFTER) if kind == "ends_soon" else None
    return (Notice(about.item_id, kind, ends_at, written_at=signed_at),)


def _lost(about: _OfItem) -> Literal["withdrawn", "refused"] | None:
    """What an item's error means for its connection; None: nothing that its user must mend."""
    if about.error is None:
        raise UpstreamError("Plaid sent `error` in another form than it publishes.")
    code = about.error.error_code
    if code in WITHDRAWN:
        return "withdrawn"
    return "refused" if code in REFUSED | UNKNOWN_ACCESS else None
