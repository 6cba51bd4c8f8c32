"""Plaid signs a webhook by a JWT in the header `plaid-verification`, which holds the SHA-256 of the body."""

import hashlib
import json
import re
import secrets
from datetime import UTC, datetime

from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, deserialize_compact, extract_compact

from grove.core.clock import now
from grove_provider_sync.adapters.plaid.verification_keys import VerificationKeys
from grove_provider_sync.providers.interface import NoticeRefused

ALGORITHM = "ES256"
MAX_CHARS = 4096
OLDEST_SECONDS = 300
AHEAD_SECONDS = 60
"""By how much Plaid's clock may be ahead of ours."""
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Signatures:
    """Checks webhooks."""

    def __init__(self, keys: VerificationKeys) -> None:
        self._keys = keys

    async def check(self, token: str | None, body: bytes) -> datetime:
        """When Plaid signed the body, which is less than five minutes ago.

        Raises NoticeRefused, or what asking Plaid for a key raises. What needs no key is checked before one is asked
        for: it is part of what the signature covers.
        """
        if token is None or len(token) > MAX_CHARS:
            raise NoticeRefused
        found = _extracted(token)
        header = found.headers()
        key_id = header.get("kid")
        if header.get("alg") != ALGORITHM or not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise NoticeRefused
        signed_at = _checked_claims(found.payload, body)
        key = await self._keys.get(key_id)
        try:
            deserialize_compact(token, key, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            raise NoticeRefused from None
        return signed_at


def _extracted(token: str) -> CompactSignature:
    try:
        return extract_compact(token.encode())
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise NoticeRefused from None


def _checked_claims(payload: bytes | None, body: bytes) -> datetime:
    try:
        claims = json.loads(payload or b"")
    except (ValueError, RecursionError):
        raise NoticeRefused from None
    if not isinstance(claims, dict):
        raise NoticeRefused
    issued, digest = claims.get("iat"), claims.get("request_body_sha256")
    if isinstance(issued, bool) or not isinstance(issued, int | float) or not isinstance(digest, str):
        raise NoticeRefused
    if not -AHEAD_SECONDS <= int(now().timestamp()) - issued <= OLDEST_SECONDS:
        raise NoticeRefused
    if not secrets.compare_digest(digest.encode(errors="replace"), hashlib.sha256(body).hexdigest().encode()):
        raise NoticeRefused
    return datetime.fromtimestamp(issued, UTC)
