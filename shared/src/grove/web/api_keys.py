"""API keys as bearer tokens: auth is asked about a key by its hash, and its answer is used for a minute.

What ends a key meanwhile is told by the revocation feed, as for access tokens: the gate decides that at each request.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from grove.core.clock import now
from grove.core.context import current_context
from grove.core.errors import GroveError, InvalidToken, ServiceUnavailable
from grove.core.schema import Moment
from grove.security.api_keys import secret_hash, well_formed
from grove.security.network import network_of
from grove.security.principal import Principal
from grove.web.rate_limit import Limit, RateLimiter

KNOWN_SECONDS = 60
UNKNOWN_SECONDS = 10
CACHED_KEYS = 10_000
LOOKUP_LIMIT = Limit("api-key-lookup", 60, 60)
"""Per network: keys that this process does not know yet."""


class KeyQuestion(BaseModel):
    """The SHA-256 of a key's secret, in hex. The secret itself stays where it was presented."""

    secret_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class KeyBearer(BaseModel):
    """What a living key stands for. `secret_id` names the secret; by `expires_at` auth must be asked again."""

    user_id: UUID
    api_key_id: str
    secret_id: str
    scopes: list[str]
    version: int
    global_version: int
    created_at: Moment
    expires_at: Moment

    def principal(self) -> Principal:
        """As routes see it."""
        return Principal(
            user_id=self.user_id,
            session_id="",
            scopes=frozenset(self.scopes),
            roles=frozenset(),
            auth_time=self.created_at,
            expires_at=self.expires_at,
            version=self.version,
            global_version=self.global_version,
            token_id=self.secret_id,
            api_key_id=self.api_key_id,
        )


class KeyAnswer(BaseModel):
    """None: there is no such key, or it is dead."""

    bearer: KeyBearer | None


class ApiKeyVerifier:
    """Turns keys into principals."""

    def __init__(self, ask: Callable[[KeyQuestion], Awaitable[KeyAnswer]], limiter: RateLimiter) -> None:
        """`ask` asks auth. Raises GroveError when it can't."""
        self._ask = ask
        self._limiter = limiter
        self._known: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()

    async def verify(self, secret: str) -> Principal:
        """The key's bearer. Raises InvalidToken, RateLimited, or ServiceUnavailable when auth can't be asked."""
        if not well_formed(secret):
            raise InvalidToken("The API key is mistyped or cut off.")
        hashed = secret_hash(secret)
        principal = await self._principal(hashed)
        if principal is None or principal.expires_at <= now():
            raise InvalidToken("The API key is not valid: it was deleted, replaced or revoked, or has expired.")
        return principal

    async def _principal(self, hashed: bytes) -> Principal | None:
        asked = time.monotonic()
        cached = self._known.get(hashed)
        if cached is not None and asked - cached[0] < (KNOWN_SECONDS if cached[1] else UNKNOWN_SECONDS):
            return cached[1]
        if cached is None or cached[1] is None:
            # Whoever guesses is stopped here, before auth is asked; a key that was good before is not counted.
            context = current_context()
            await self._limiter.enforce(LOOKUP_LIMIT, network_of(context.client_ip if context else None))
        try:
            answer = await self._ask(KeyQuestion(secret_hash=hashed.hex()))
        except GroveError:
            raise ServiceUnavailable("Your API key can't be checked right now. Try again in a moment.") from None
        principal = answer.bearer.principal() if answer.bearer else None
        self._known[hashed] = (asked, principal)
        self._known.move_to_end(hashed)
        if len(self._known) > CACHED_KEYS:
            self._known.popitem(last=False)
        return principal
