"""Plaid's errors: a type, a code and words, nearly all with status 400."""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse

_KNOWN = {
    "ACCESS_NOT_GRANTED": ("ITEM_ERROR", 400, "access to this product was not granted for the account"),
    "ACCOUNTS_LIMIT": ("RATE_LIMIT_EXCEEDED", 429, "rate limit exceeded for attempts to access this item"),
    "INSTITUTION_DOWN": ("INSTITUTION_ERROR", 400, "this institution is not currently responding to this request"),
    "INSTITUTION_NOT_RESPONDING": ("INSTITUTION_ERROR", 400, "this institution is not currently responding"),
    "INTERNAL_SERVER_ERROR": ("API_ERROR", 500, "an unexpected error occurred"),
    "INVALID_ACCESS_TOKEN": ("INVALID_INPUT", 400, "could not find matching access token"),
    "INVALID_API_KEYS": ("INVALID_INPUT", 400, "invalid client_id or secret provided"),
    "INVALID_FIELD": ("INVALID_REQUEST", 400, "cursor not associated with access_token"),
    "INVALID_LINK_TOKEN": ("INVALID_INPUT", 400, "could not find matching link token"),
    "INVALID_PUBLIC_TOKEN": ("INVALID_INPUT", 400, "could not find matching public token"),
    "INVALID_WEBHOOK_VERIFICATION_KEY_ID": ("INVALID_INPUT", 400, "invalid key_id provided"),
    "ITEM_LOCKED": ("ITEM_ERROR", 400, "the account is locked"),
    "ITEM_LOGIN_REQUIRED": ("ITEM_ERROR", 400, "the login details of this item have changed"),
    "ITEM_NOT_FOUND": ("ITEM_ERROR", 400, "the Item you requested cannot be found"),
    "PLANNED_MAINTENANCE": ("API_ERROR", 503, "the Plaid API is temporarily unavailable"),
    "PRODUCT_NOT_READY": ("ITEM_ERROR", 400, "the requested product is not yet ready"),
    "RATE_LIMIT": ("RATE_LIMIT_EXCEEDED", 429, "rate limit exceeded"),
    "TRANSACTIONS_SYNC_LIMIT": ("RATE_LIMIT_EXCEEDED", 429, "rate limit exceeded for attempts to access this item"),
    "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION": ("TRANSACTIONS_ERROR", 400, "underlying data changed"),
    "USER_PERMISSION_REVOKED": ("ITEM_ERROR", 400, "the holder of this account has revoked their permission"),
}
CODES = frozenset(_KNOWN)


class PlaidError(Exception):
    """Plaid refuses. `status`: another than it has by default."""

    def __init__(self, code: str, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status or _KNOWN[code][1]


def shown(code: str) -> dict[str, str | None]:
    """As Plaid tells it."""
    kind, _, words = _KNOWN[code]
    return {
        "error_type": kind,
        "error_code": code,
        "error_message": words,
        "display_message": None,
        "request_id": secrets.token_hex(8),
    }


async def answer(_request: Request, error: Exception) -> JSONResponse:
    """The answer to a request that is refused."""
    if not isinstance(error, PlaidError):
        raise error
    return JSONResponse(shown(error.code), error.status)
