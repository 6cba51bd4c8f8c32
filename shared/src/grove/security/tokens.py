"""Access tokens: RFC 9068 JWTs, ES256, verified locally from auth's cached keys."""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from joserfc.jwk import KeySet
from joserfc.jws import deserialize_compact
from joserfc.util import urlsafe_b64decode

from grove.core.errors import InvalidToken, ServiceUnavailable
from grove.security.principal import Principal

log = structlog.get_logger()

ALGORITHMS = ["ES256"]
TYPE = "at+jwt"
MAX_TOKEN_CHARS = 4096
CLOCK_SKEW_SECONDS = 60
"""How far auth's clock may be ahead of this machine's."""
MOST = 2**53
"""Numbers in JSON are exact below."""
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
            keys = KeySet.import_key_set({"keys": list(document["keys"])})
            ids = frozenset(str(key["kid"]) for key in document["keys"])
        except Exception as error:  # noqa: BLE001 - whatever it was, the keys could not be had
            log.warning("jwks.unreachable", error=str(error) or type(error).__name__)
            return False
        if not self.holds(key_id):
            self._asked_for_unknown = began
        self._keys, self._ids, self._fetched = keys, ids, began
        return True


class TokenVerifier:
    """Checks signature and claims; a token that was verified before costs a dictionary look-up."""

    def __init__(self, keys: KeyCache, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
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
            key_id = _key_id(token)
        except Exception:  # noqa: BLE001 - whatever a hostile token makes of the parsers, it is not valid
            raise InvalidToken from None
        keys = await self._keys.for_key(key_id)
        try:
            claims = _object(deserialize_compact(token, keys, algorithms=ALGORITHMS).payload)
            return self._principal(claims, key_id)
        except Exception:  # noqa: BLE001 - as above
            raise InvalidToken from None

    def _principal(self, claims: Mapping[str, Any], key_id: str) -> Principal:
        """Who the claims name (RFC 9068 section 2.2). Raises one of many exceptions for claims that are not as ours."""
        expires, latest = _number(claims, "exp"), time.time() + CLOCK_SKEW_SECONDS
        begins = [_number(claims, name) for name in ("iat", "auth_time")]
        begins += [_number(claims, "nbf")] if "nbf" in claims else []
        if expires <= time.time() or max(begins) > latest:
            raise ValueError("over, or not begun")
        audience = [claims["aud"]] if isinstance(claims["aud"], str) else _texts(claims["aud"])
        if claims["iss"] != self._issuer or self._audience not in audience:
            raise ValueError("from or for somebody else")
        _text(claims, "client_id")
        return Principal(
            user_id=_uuid(_text(claims, "sub")),
            session_id=_text(claims, "sid"),
            scopes=frozenset(_text(claims, "scope", least=0).split()),
            roles=frozenset(_texts(claims["roles"])),
            auth_time=datetime.fromtimestamp(_number(claims, "auth_time"), UTC),
            expires_at=datetime.fromtimestamp(expires, UTC),
            version=_number(claims, "ver"),
            global_version=_number(claims, "gver"),
            token_id=_text(claims, "jti"),
            signing_key_id=key_id,
        )


def _key_id(token: str) -> str:
    """The key that the token says it is signed with. A header that says more or less than ours is refused."""
    header = _object(urlsafe_b64decode(token.encode("ascii").split(b".", 1)[0]))
    if set(header) != {"alg", "typ", "kid"} or header["alg"] not in ALGORITHMS:
        raise ValueError("another header")
    if _text(header, "typ").lower() not in {TYPE, f"application/{TYPE}"}:
        raise ValueError("another type")
    return _text(header, "kid")


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object whose fields come once each."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a field comes twice")
        return found

    read = json.loads(data, object_pairs_hook=unique)
    if not isinstance(read, dict):
        raise TypeError("no object")
    return read


def _number(claims: Mapping[str, Any], name: str) -> int:
    value = claims[name]
    if type(value) is not int or not 0 <= value < MOST:  # True is an int too, but no number
        raise ValueError(f"{name} is no number")
    return value


def _text(claims: Mapping[str, Any], name: str, *, least: int = 1) -> str:
    value = claims[name]
    if not isinstance(value, str) or len(value) < least:
        raise ValueError(f"{name} is no text")
    return value


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("no list of texts")
    return values


def _uuid(text: str) -> UUID:
    """In its one spelling."""
    value = UUID(text)
    if str(value) != text:
        raise ValueError("another spelling")
    return value
