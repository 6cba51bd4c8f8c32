"""The keys that Plaid signs webhooks with, and every way in which a webhook can be signed wrongly."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

Wrong = Literal[
    "alg_none",  # without a signature
    "body",  # the body was changed after it was signed
    "future",  # dated in an hour
    "key",  # signed with a key that is not the one it names
    "no_header",  # not signed at all
    "old",  # signed six minutes ago
    "previous_key",  # signed with the key before the last rotation
    "public_key_as_secret",  # HS256, with the public key as the secret
    "unknown_key",  # signed with a key that Plaid does not know
]


@dataclass
class _Key:
    pair: ECKey
    created_at: int
    expired_at: int | None = None

    @property
    def id(self) -> str:
        return str(self.pair.kid)


class Keys:
    """All that there ever were, the newest last."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self.rotate(expire=False)

    def rotate(self, *, expire: bool) -> None:
        """Another key; `expire`: the ones before are put away."""
        moment = int(time.time())
        if expire:
            for key in self._keys.values():
                key.expired_at = key.expired_at or moment
        made = _Key(ECKey.generate_key("P-256", {"kid": str(uuid4()), "use": "sig", "alg": "ES256"}), moment)
        self._keys[made.id] = made

    def shown(self, key_id: str) -> dict[str, Any] | None:
        """The public key with that id, as Plaid tells it."""
        key = self._keys.get(key_id)
        if key is None:
            return None
        public = key.pair.as_dict(private=False)
        return public | {"created_at": key.created_at, "expired_at": key.expired_at}

    def signed(self, payload: dict[str, Any], wrong: Wrong | None) -> tuple[dict[str, str], str]:
        """Headers and body of a webhook."""
        body = json.dumps(payload)
        issued = int(time.time()) + {"old": -360, "future": 3600}.get(wrong or "", 0)
        claims = {"iat": issued, "request_body_sha256": hashlib.sha256(body.encode()).hexdigest()}
        token = self._token(claims, wrong)
        if wrong == "body":
            body += " "
        return ({} if wrong == "no_header" else {"plaid-verification": token}), body

    def _token(self, claims: dict[str, Any], wrong: Wrong | None) -> str:
        *before, newest = self._keys.values()
        used = before[-1] if wrong == "previous_key" and before else newest
        pair, header = used.pair, {"alg": "ES256", "typ": "JWT", "kid": used.id}
        if wrong == "alg_none":
            return f"{_part(header | {'alg': 'none'})}.{_part(claims)}."
        if wrong == "public_key_as_secret":
            signed = f"{_part(header | {'alg': 'HS256'})}.{_part(claims)}"
            secret = used.pair.as_pem(private=False)
            return f"{signed}.{_base64(hmac.digest(secret, signed.encode(), 'sha256'))}"
        if wrong in {"key", "unknown_key"}:
            pair = ECKey.generate_key("P-256")
        if wrong == "unknown_key":
            header["kid"] = str(uuid4())
        return jwt.encode(header, claims, pair, algorithms=["ES256"])


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
