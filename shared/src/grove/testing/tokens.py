"""An issuer of access tokens, as auth is one, for tests of other services."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey

from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.principal import Principal
from grove.security.tokens import TYPE, KeyCache, TokenVerifier

ISSUER = "https://auth.test"
AUDIENCE = "https://api.test"
AREAS = ("tasks", "profile", "moments", "notifications", "webhooks", "connections")
SCOPES = " ".join([f"{area}:{what}" for area in AREAS for what in ("read", "write")] + ["account:read"])


class Issuer:
    """Signs tokens with a key of its own."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": str(new_id()), "use": "sig", "alg": "ES256"})
        self.fetches = 0

    async def jwks(self) -> dict[str, Any]:
        """Its public key."""
        self.fetches += 1
        return {"keys": [self.key.as_dict(private=False)]}

    def verifier(self) -> TokenVerifier:
        """A verifier that trusts it."""
        return TokenVerifier(KeyCache(self.jwks), issuer=ISSUER, audience=AUDIENCE)

    def token(self, user_id: UUID | None = None, **claims: Any) -> str:
        """A token; `claims` replace the usual ones, `header` header fields; None removes one."""
        fields = {"alg": "ES256", "typ": TYPE, "kid": self.key.kid} | claims.pop("header", {})
        header = {name: value for name, value in fields.items() if value is not None}
        moment = now()
        usual: dict[str, Any] = {
            "iss": ISSUER,
            "aud": [ISSUER, AUDIENCE],
            "sub": str(user_id or new_id()),
            "iat": int(moment.timestamp()),
            "exp": int((moment + timedelta(minutes=15)).timestamp()),
            "jti": str(new_id()),
            "client_id": "test",
            "sid": str(new_id()),
            "auth_time": int(moment.timestamp()),
            "amr": ["pwd"],
            "roles": ["user"],
            "scope": SCOPES,
            "ver": 1,
            "gver": 0,
        }
        body = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(header, body, self.key, algorithms=["ES256"])

    def headers(self, user_id: UUID | None = None, **claims: Any) -> dict[str, str]:
        """The Authorization header of a token."""
        return {"Authorization": f"Bearer {self.token(user_id, **claims)}"}


class OpenGate:
    """Admits every token but those of the revoked sessions."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    async def admits(self, principal: Principal) -> bool:
        """Whether the token still counts."""
        return principal.session_id not in self.revoked

    async def admits_each(self, principals: Sequence[Principal]) -> list[bool]:
        """The same of each."""
        return [await self.admits(principal) for principal in principals]
