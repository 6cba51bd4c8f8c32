"""Signing keys: made once, kept sealed, published as JWKS (RFC 7517)."""

import json
import time
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from grove.core.clock import now
from grove.core.ids import new_id
from grove.security.encryption import FieldCipher
from grove.security.tokens import TYPE
from grove_auth.keys.repository import SigningKeyRepository
from grove_auth.mfa.rules import must_enrol
from grove_auth.models import Session, SigningKey, User
from grove_auth.roles.lookup import RoleLookup
from grove_auth.roles.permissions import UNENROLLED, scopes_of
from grove_auth.settings import AuthSettings

CACHE_SECONDS = 0.5
"""How long another process may go on with keys that were revoked here."""
CLIENT_ID = "grove"


class KeyService:
    """Signs access tokens with the newest key that may sign yet."""

    def __init__(self, settings: AuthSettings, cipher: FieldCipher, roles: RoleLookup) -> None:
        self._settings = settings
        self._cipher = cipher
        self._roles = roles
        self._cached: list[SigningKey] = []
        self._cached_at = float("-inf")
        self._stored = SigningKeyRepository()
        self._private: dict[str, ECKey] = {}

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys."""
        return {"keys": [key.public for key in await self.published()]}

    async def ensure_key(self) -> None:
        """Make the first key if there is none."""
        if not await self._stored.all():
            await self._stored.insert(self.new_key(now()))

    def new_key(self, signs_from: datetime) -> SigningKey:
        """A key that is not stored yet."""
        key_id = str(new_id())
        key = ECKey.generate_key("P-256", {"kid": key_id, "use": "sig", "alg": "ES256"})
        return SigningKey(
            id=key_id,
            public={name: str(value) for name, value in key.as_dict(private=False).items()},
            sealed_private=self._cipher.seal(json.dumps(key.as_dict(private=True)), purpose=f"signing-key:{key_id}"),
            created_at=now(),
            signs_from=signs_from,
        )

    async def access_token(self, user: User, session: Session) -> str:
        """An access token of the session (RFC 9068)."""
        granted = scopes_of(user.roles) | await self._roles.permissions_of(user.roles)
        if must_enrol(user, self._settings.mfa_required_roles) and "mfa" not in session.amr:
            granted = UNENROLLED
        signing = await self.signing()
        moment = now()
        claims: dict[str, Any] = {
            "iss": self._settings.public_auth_url,
            "aud": [self._settings.public_auth_url, self._settings.public_api_url],
            "sub": str(user.id),
            "iat": int(moment.timestamp()),
            "exp": int((moment + timedelta(minutes=self._settings.access_token_minutes)).timestamp()),
            "jti": str(new_id()),
            "client_id": CLIENT_ID,
            "sid": session.id,
            "auth_time": int(session.auth_time.timestamp()),
            "amr": session.amr,
            "roles": user.roles,
            "scope": " ".join(sorted(granted)),
            "ver": user.token_version,
            "gver": session.global_version,
        }
        return jwt.encode(
            {"alg": "ES256", "typ": TYPE, "kid": signing.id}, claims, self._key(signing), algorithms=["ES256"]
        )

    async def signing(self) -> SigningKey:
        """The key that signs now."""
        moment, keys = now(), await self.published()
        return next((key for key in keys if key.signs_from <= moment), keys[-1])

    async def is_published(self, key_id: str) -> bool:
        """Whether tokens of that key count: it was neither revoked nor removed."""
        return any(key.id == key_id for key in await self.published())

    async def published(self) -> list[SigningKey]:
        """All keys, the one that signs last first; at most CACHE_SECONDS old."""
        if time.monotonic() - self._cached_at > CACHE_SECONDS:
            looked_at = time.monotonic()
            found = await self._stored.all()
            if not found:
                raise RuntimeError("There is no signing key. Run `grove-auth migrate` first.")
            self._cached, self._cached_at = found, looked_at
            self._private = {key.id: self._private[key.id] for key in found if key.id in self._private}
        return self._cached

    def forget(self) -> None:
        """Look at the store before the next use."""
        self._cached_at = float("-inf")

    def _key(self, stored: SigningKey) -> ECKey:
        key = self._private.get(stored.id)
        if key is None:
            opened = self._cipher.open(stored.sealed_private, purpose=f"signing-key:{stored.id}")
            key = self._private[stored.id] = ECKey.import_key(json.loads(opened))
        return key
