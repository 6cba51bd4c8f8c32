"""The rules of connections."""

import asyncio
import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from grove.contracts.event import EventData
from grove.core.clock import now
from grove.core.errors import Conflict, GroveError, UpstreamTimeout
from grove.core.ids import new_id
from grove.outbox.postgres import Outbox
from grove.security.encryption import DecryptionFailed
from grove_provider_sync.connections import events, tokens
from grove_provider_sync.connections.errors import ConnectionNotUsable, ConsentDenied, NotYourBrowser
from grove_provider_sync.connections.repository import MAX_CONNECTIONS, ConnectionRepository
from grove_provider_sync.models import Authorization, Connection
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.repository import SyncRunRepository

log = structlog.get_logger()

PENDING = "Waiting for you to give access at the provider."
LINKED = "Connected. The first synchronisation is on its way."


@dataclass(frozen=True, slots=True)
class Started:
    """A begun try to connect: where the user consents, and what binds it to this browser."""

    connection: Connection
    authorization_url: str
    browser_key: str


class ConnectionService:
    """Connects, reconnects and removes. Never commits."""

    def __init__(
        self, resources: Resources, connections: ConnectionRepository, runs: SyncRunRepository, outbox: Outbox
    ) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._connections = connections
        self._runs = runs
        self._outbox = outbox

    async def connect(self, user_id: UUID, provider_key: str) -> Started:
        """A new connection. Raises ProviderNotFound, or Conflict when the user has too many."""
        self._resources.providers.get(provider_key)
        if await self._connections.count(user_id) >= MAX_CONNECTIONS:
            raise Conflict(f"You have {MAX_CONNECTIONS} connections. Remove one first.")
        connection = Connection(
            id=new_id(),
            user_id=user_id,
            provider=provider_key,
            status="pending",
            status_detail=PENDING,
            created_at=now(),
            failures=0,
            sequence=0,
        )
        await self._connections.add(connection)
        return await self._authorize(connection)

    async def reauthorize(self, user_id: UUID, connection_id: UUID) -> Started:
        """Connect the same connection again; accounts and history stay."""
        return await self._authorize(await self._connections.locked(connection_id, user_id))

    async def finish(
        self,
        state: str,
        *,
        code: str | None,
        error: str | None,
        browser_key: str | None,
        user_id: UUID | None,
    ) -> Connection:
        """The callback. Only the browser that began, or the same user's bearer, may finish.

        Raises AuthorizationGone, NotYourBrowser, ConsentDenied, or what the provider's adapter raises.
        """
        authorization = await self._connections.authorization(_hash(state))
        begun_here = browser_key is not None and secrets.compare_digest(_hash(browser_key), authorization.browser_hash)
        if not begun_here and user_id != authorization.user_id:
            raise NotYourBrowser
        connection = await self._connections.locked(authorization.connection_id, authorization.user_id)
        if code is None:
            log.info("connection.denied", connection_id=str(connection.id), reason=error)
            raise ConsentDenied
        provider = self._resources.providers.get(connection.provider)
        verifier = self._resources.token_cipher.open(authorization.sealed_verifier, purpose=f"pkce:{connection.id}")
        try:
            async with asyncio.timeout(self._settings.callback_seconds):
                given = await provider.exchange(code, verifier=verifier, redirect_uri=self._redirect_uri)
        except TimeoutError:
            raise UpstreamTimeout from None
        await self._connections.use_authorization(authorization)
        connection.sealed_tokens = tokens.seal(self._resources.token_cipher, connection.id, given)
        connection.status, connection.status_detail = "active", LINKED
        connection.failures, connection.reauth_by, connection.next_sync_at = 0, None, None
        await self._tell(connection, events.linked(connection, provider.description))
        await self._runs.enqueue(connection, "initial")
        return connection

    async def sync(self, user_id: UUID, connection_id: UUID) -> None:
        """Queue a run that the user asks for; an open one already serves. Raises ConnectionNotUsable."""
        connection = await self._connections.locked(connection_id, user_id)
        if connection.status not in {"active", "error"}:
            raise ConnectionNotUsable
        await self._runs.enqueue(connection, "user")

    async def remove(self, user_id: UUID, connection_id: UUID) -> None:
        """Give the tokens back as well as can be, and delete the connection with its data."""
        connection = await self._connections.locked(connection_id, user_id)
        provider = self._resources.providers.get(connection.provider)
        await give_back(self._resources, connection)
        await self._tell(connection, events.removed(connection, provider.description))
        await self._connections.remove(connection)

    async def _authorize(self, connection: Connection) -> Started:
        state, verifier, browser_key = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        await self._connections.add_authorization(
            Authorization(
                state_hash=_hash(state),
                connection_id=connection.id,
                user_id=connection.user_id,
                browser_hash=_hash(browser_key),
                sealed_verifier=self._resources.token_cipher.seal(verifier, purpose=f"pkce:{connection.id}"),
                expires_at=now() + timedelta(minutes=self._settings.connect_minutes),
            )
        )
        provider = self._resources.providers.get(connection.provider)
        url = provider.authorization_url(state=state, challenge=challenge, redirect_uri=self._redirect_uri)
        return Started(connection, url, browser_key)

    async def _tell(self, connection: Connection, fact: EventData) -> None:
        connection.sequence += 1
        await self._outbox.add((fact, connection.sequence))

    @property
    def _redirect_uri(self) -> str:
        return f"{self._settings.public_api_url}/api/v1/connections/callback"


async def give_back(resources: Resources, connection: Connection) -> None:
    """Revoke the connection's tokens at its provider, as well as can be."""
    if connection.sealed_tokens is None:
        return
    try:
        given = tokens.unseal(resources.token_cipher, connection.id, connection.sealed_tokens)
        async with asyncio.timeout(resources.settings.callback_seconds):
            await resources.providers.get(connection.provider).revoke(given)
    except (GroveError, TimeoutError, DecryptionFailed) as error:
        log.warning("connection.revoke_failed", connection_id=str(connection.id), reason=str(error))


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
