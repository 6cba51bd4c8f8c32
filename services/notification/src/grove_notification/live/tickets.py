"""Tickets: for browsers, which can't set headers on a WebSocket. Good once, for 30 seconds."""

import hashlib
import json
import secrets
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from grove.core.errors import InvalidToken, ServiceUnavailable
from grove.security.principal import Principal
from grove.valkey.client import VALKEY_ERRORS

TICKET_SECONDS = 30


class Tickets:
    """Kept in Valkey under their hash, so that any replica can take one."""

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey

    async def issue(self, principal: Principal) -> str:
        """A ticket for a signed-in user."""
        ticket = secrets.token_urlsafe(32)
        try:
            await self._valkey.set(_key(ticket), json.dumps(asdict(principal), default=_plain), ex=TICKET_SECONDS)
        except VALKEY_ERRORS:
            raise ServiceUnavailable("Tickets can't be made right now. Sign in with a header.") from None
        return ticket

    async def redeem(self, ticket: str) -> Principal:
        """The user of an unused ticket, which is used by this. Raises InvalidToken."""
        try:
            stored = await self._valkey.getdel(_key(ticket))
        except VALKEY_ERRORS:
            raise ServiceUnavailable from None
        if stored is None:
            raise InvalidToken("The ticket was used or has expired.")
        return _principal(json.loads(stored))


def _key(ticket: str) -> str:
    return f"notification:ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _principal(stored: dict[str, Any]) -> Principal:
    return Principal(
        user_id=UUID(stored["user_id"]),
        session_id=stored["session_id"],
        scopes=frozenset(stored["scopes"]),
        roles=frozenset(stored["roles"]),
        auth_time=datetime.fromisoformat(stored["auth_time"]),
        expires_at=datetime.fromisoformat(stored["expires_at"]),
        version=stored["version"],
        global_version=stored["global_version"],
        token_id=stored["token_id"],
        signing_key_id=stored["signing_key_id"],
        api_key_id=stored["api_key_id"],
    )
