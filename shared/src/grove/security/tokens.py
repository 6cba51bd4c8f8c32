"""Access tokens: RFC 9068 JWTs, ES256, verified locally from auth's cached keys."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from grove.core.errors import InvalidToken, ServiceUnavailable
from grove.security.principal import Principal

log = structlog.get_logger()

ALGORITHMS = ["ES256"]
TYPE = "at+jwt"
MAX_TOKEN_CHARS = 4096
KEYS_FRESH_SECONDS = 300
UNKNOWN_KEY_COOLDOWN_SECONDS = 1.0
VERIFIED_TOKENS = 10_000

AWAY = "Tokens can't be checked right now: the auth service is away."

KeysFetcher = Callable[[], Awaitable[Mapping[str, Any]]]
"""Gets the JWKS document from auth. Raises ServiceUnavailable or another GroveError."""


class KeyCache:
    """auth's public keys, fetched again when old or when a token names an unknown one."""

    def __init__(self, fetch: KeysFetcher, *, cooldown_seconds: float = UNKNOWN_KEY_COOLDOWN_SECONDS) -> None:
        """`cooldown_seconds`: how often tokens that name unknown keys can have the keys fetched."""
        self._fetch = fetch
        self._cooldown = cooldown_seconds
        self._keys: KeySet | None = None
        self._ids: frozenset[str] = frozenset()
        self._fetched = self._changed = self._asked_for_unknown = float("-inf")
        self._lock = asyncio.Lock()

    def holds(self, key_id: str) -> bool:
        """Whether the key was published when last fetched."""
        return key_id in self._ids

    def expect_change(self) -> None:
        """The keys are other ones: fetch them before the next token is checked."""
        self._changed = time.monotonic()

    async def for_key(self, key_id: str) -> KeySet:
        """A key set that holds `key_id` if auth publishes it. Raises ServiceUnavailable when that can't be known."""
        arrived = time.monotonic()
        if self._due(key_id, arrived):
            async with self._lock:
                # Whoever waited for another's fetch that began after it arrived needs none of its own.
                due = self._fetched <= arrived and self._due(key_id, arrived)
                if due and not await self._refresh(key_id) and not self.holds(key_id):
                    raise ServiceUnavailable(AWAY)  # with the token's key at hand, auth's absence is bearable
        if self._keys is None:
            raise ServiceUnavailable(AWAY)
        return self._keys

    def _due(self, key_id: str, moment: float) -> bool:
        if self._keys is None or self._fetched <= self._changed or moment - self._fetched >= KEYS_FRESH_SECONDS:
            return True
        # Counted from the last fetch for an unknown key, not from any: a key that was published since then is found.
        return not self.holds(key_id) and moment - self._asked_for_unknown >= self._cooldown

    async def _refresh(self, key_id: str) -> bool:
        began = time.monotonic()
        try:
            document = await self._fetch()
        except Exception as error:  # noqa: BLE001 - whatever it was, the keys could not be had
            log.warning("jwks.unreachable", error=str(error) or type(error).__name__)
            return False
        if not self.holds(key_id):
            self._asked_for_unknown = began
        self._keys = KeySet.import_key_set({"keys": list(document["keys"])})
        self._ids = frozenset(str(key["kid"]) for key in document["keys"])
        self._fetched = began
        return True


class TokenVerifier:
    """Checks signature and claims; a token that was verified before costs a dictionary look-up."""

    def __init__(self, keys: KeyCache, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._audience = audience
        self._registry = jwt.JWTClaimsRegistry(
            leeway=0,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            jti={"essential": True},
        )
        self._verified: OrderedDict[str, Principal] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The token's bearer. Raises InvalidToken, or ServiceUnavailable when keys can't be had."""
        known = self._verified.get(token)
        if known is not None:
            if known.expires_at.timestamp() <= time.time():
                del self._verified[token]
                raise InvalidToken
            if self._keys.holds(known.signing_key_id):
                self._verified.move_to_end(token)
                return known
            del self._verified[token]  # its key was withdrawn
        principal = await self._check(token)
        self._verified[token] = principal
        if len(self._verified) > VERIFIED_TOKENS:
            self._verified.popitem(last=False)
        return principal

    async def _check(self, token: str) -> Principal:
        if len(token) > MAX_TOKEN_CHARS:
            raise InvalidToken
        try:
            header = _header(token)
            if str(header.get("typ", "")).lower() not in {TYPE, f"application/{TYPE}"}:
                raise InvalidToken
            key_id = str(header["kid"])
            keys = await self._keys.for_key(key_id)
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            self._registry.validate(decoded.claims)
        except (JoseError, ValueError, KeyError, TypeError):
            raise InvalidToken from None
        return self._principal(decoded.claims, key_id)

    def _principal(self, claims: Mapping[str, Any], key_id: str) -> Principal:
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise InvalidToken
        try:
            return Principal(
                user_id=UUID(claims["sub"]),
                session_id=str(claims["sid"]),
                scopes=frozenset(str(claims["scope"]).split()),
                roles=frozenset(claims["roles"]),
                auth_time=datetime.fromtimestamp(claims["auth_time"], UTC),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
                version=int(claims["ver"]),
                global_version=int(claims["gver"]),
                token_id=str(claims["jti"]),
                signing_key_id=key_id,
            )
        except (KeyError, ValueError, TypeError):
            raise InvalidToken from None


def _header(token: str) -> Mapping[str, Any]:
    return extract_compact(token.encode()).headers()
