"""ID tokens: signature and claims (OpenID Connect Core 1.0 section 3.1.3.7)."""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from grove_auth.social.providers.interface import ProviderMisbehaved

ALGORITHMS = ["ES256", "RS256"]
KEYS_FRESH_SECONDS = 3600
LEEWAY_SECONDS = 30
MAX_CHARS = 16_384

KeysFetcher = Callable[[], Awaitable[Mapping[str, Any]]]


class IdTokens:
    """Checks the ID tokens of one issuer for one client."""

    def __init__(self, issuer: str, client_id: str, fetch_keys: KeysFetcher) -> None:
        self._client_id = client_id
        self._fetch = fetch_keys
        self._keys: dict[str, dict[str, Any]] = {}
        self._fetched = 0.0
        self._registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )

    async def claims(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of a good token for this nonce. Raises ProviderMisbehaved."""
        if len(token) > MAX_CHARS:
            raise ProviderMisbehaved("id_token")
        try:
            key_id = extract_compact(token.encode()).headers().get("kid")
            claims = jwt.decode(token, await self._key(key_id), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, KeyError, TypeError):
            raise ProviderMisbehaved("id_token_signature") from None
        try:
            self._registry.validate(claims)
        except (JoseError, ValueError, TypeError):
            raise ProviderMisbehaved("id_token_claims") from None
        self._check(claims, nonce)
        return claims

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._client_id:
            raise ProviderMisbehaved("id_token_claims")
        told = claims.get("nonce")
        if not isinstance(told, str) or not secrets.compare_digest(told.encode(), nonce.encode()):
            raise ProviderMisbehaved("nonce")

    async def _key(self, key_id: Any) -> KeySet:
        """The key of that id; keys are fetched when old, or when there is none of that id. Raises KeyError."""
        if key_id not in self._keys or time.monotonic() - self._fetched > KEYS_FRESH_SECONDS:
            document = await self._fetch()
            self._keys = {key["kid"]: dict(key) for key in document["keys"] if "kid" in key}
            self._fetched = time.monotonic()
        return KeySet.import_key_set({"keys": [self._keys[key_id]]})
