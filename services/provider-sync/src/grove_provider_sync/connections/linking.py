"""Connecting: the user is sent to the provider, and comes back with a right that becomes tokens.

No transaction is open while the provider is asked: it may take as long as a user waits.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.errors import UpstreamTimeout
from grove.core.ids import new_id
from grove.postgres.engine import STORE_ERRORS, is_unavailable
from grove.security.encryption import DecryptionFailed
from grove.service.erasure import is_erased
from grove_provider_sync.connections import events
from grove_provider_sync.connections.errors import (
    AlreadyConnected,
    AuthorizationGone,
    BeingFinished,
    ConnectionNotFound,
    ConnectionRevoked,
    ConsentDenied,
    NotYourBrowser,
    OtherCustomer,
    TooManyConnections,
)
from grove_provider_sync.connections.repository import MAX_CONNECTIONS, ConnectionRepository
from grove_provider_sync.connections.standing import LINKED, PENDING
from grove_provider_sync.models import Authorization, Connection
from grove_provider_sync.providers.checks import checked_name
from grove_provider_sync.providers.interface import Asking, Grant, ProviderRefused, Return, Tokens
from grove_provider_sync.providers.turns import calling_for
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.tokens import audit, revoking, sealing
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.versions import provider_version

log = structlog.get_logger()

CLAIM_MARGIN_SECONDS = 5
LINK_AGAIN_SECONDS = (0.2, 0.5, 1, 2)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A try to connect: where the user consents, what binds it to this browser, and what the callback must match."""

    url: str
    state: str
    verifier: str
    browser_key: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A callback that is ours to finish."""

    connection_id: UUID
    user_id: UUID
    provider: str
    provider_version: int
    token_version: int
    back: Return

    def mends_what_is_gone(self, connection: Connection, grant: Grant) -> bool:
        """Whether the grant is of the tokens that the connection held, and those were taken away meanwhile."""
        return grant.tokens == self.back.held and connection.token_version != self.token_version


class Linking:
    """Begins and finishes. `finish` has transactions of its own, the others are part of their caller's."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._cipher = resources.token_cipher

    @property
    def seconds(self) -> int:
        """How long a try is good for."""
        return self._settings.connect_minutes * 60

    async def prepare(self, user_id: UUID, provider_key: str, held: Tokens | None = None) -> Prepared:
        """Ask the provider for where the user consents. Raises ProviderNotFound, or what its adapter raises."""
        provider = self._resources.providers.get(provider_key)
        state, verifier, browser_key = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asking = Asking(state, challenge, self._redirect_uri, hashlib.sha256(user_id.bytes).hexdigest()[:32], held)
        async with _in_time(self._settings.callback_seconds, provider.description.name):
            consent = await provider.authorize(asking)
        return Prepared(consent.url, state, verifier, browser_key, consent.secret)

    async def begin(self, session: AsyncSession, user_id: UUID, provider: str, prepared: Prepared) -> Connection:
        """A new connection that waits for its user. Raises TooManyConnections."""
        connections = ConnectionRepository(session)
        await connections.one_at_a_time(user_id)
        if await connections.count(user_id) >= MAX_CONNECTIONS:
            raise TooManyConnections(MAX_CONNECTIONS)
        connection = Connection(
            id=new_id(),
            user_id=user_id,
            provider=provider,
            status="pending",
            status_detail=PENDING,
            created_at=now(),
            failures=0,
            sequence=0,
            token_version=0,
            provider_version=0,
        )
        await connections.add(connection)
        await self._authorize(connections, connection, prepared)
        return connection

    async def begin_again(self, user_id: UUID, connection_id: UUID) -> tuple[Connection, Prepared]:
        """Connect the same connection again; accounts and history stay. Raises ConnectionNotFound."""
        async with self._resources.sessions() as session:
            connection = await ConnectionRepository(session).of_user(connection_id, user_id)
            if connection.status == "revoked":
                raise ConnectionRevoked
            held = self._held(connection, await provider_version(session, connection.provider))
        prepared = await self.prepare(user_id, connection.provider, held)
        async with self._resources.sessions.begin() as session:
            connections = ConnectionRepository(session)
            connection = await connections.locked(connection_id, user_id)
            await self._authorize(connections, connection, prepared)
        return connection, prepared

    async def finish(
        self, state: str, *, code: str | None, error: str | None, browser_key: str | None, user_id: UUID | None
    ) -> Connection:
        """The callback. Only the browser that began, or the same user's bearer, may finish.

        Raises AuthorizationGone, BeingFinished, NotYourBrowser, ConsentDenied, OtherCustomer, AlreadyConnected, or
        what the provider's adapter raises; after the latter it can be tried again.
        """
        try:
            claimed = await self._claim(state, code=code, error=error, browser_key=browser_key, user_id=user_id)
        except NotYourBrowser:
            await self._spend_without_code(state)
            raise
        provider = self._resources.providers.get(claimed.provider)
        try:
            with calling_for(claimed.connection_id):
                async with _in_time(self._settings.callback_seconds, provider.description.name):
                    grant = await provider.exchange(claimed.back)
        except ProviderRefused:
            if provider.description.code:
                await self._unclaim(state)
                raise
            await self._spend(state)  # or whoever knows the state could ask until the user has agreed
            raise ConsentDenied from None
        except BaseException:
            await self._unclaim(state)
            raise
        try:
            return await self._linked(state, claimed, grant)
        except Exception:  # whatever it is, nobody else knows the tokens
            await self._give_back(claimed, grant)
            raise

    async def _linked(self, state: str, claimed: _Claimed, grant: Grant) -> Connection:
        """A store that is away for a moment is waited for: a grant can't be had again."""
        waits = iter(LINK_AGAIN_SECONDS)
        while True:
            try:
                async with self._resources.sessions.begin() as session:
                    return await self._link(session, state, claimed, grant)
            except STORE_ERRORS as error:
                wait = next(waits, None)
                if wait is None or not is_unavailable(error):
                    raise
            await asyncio.sleep(wait)

    async def _spend_without_code(self, state: str) -> None:
        """Somebody came back to another's try. Where the callback bears no code, whoever knows the state could finish
        with what was agreed to in this browser: nobody can now.
        """
        async with self._resources.sessions.begin() as session:
            connections = ConnectionRepository(session)
            authorization = await connections.authorization(_hash(state))
            connection = await connections.of_user(authorization.connection_id, authorization.user_id)
            if not self._resources.providers.describe(connection.provider).code:
                await connections.use_authorization(_hash(state))

    async def _spend(self, state: str) -> None:
        async with self._resources.sessions.begin() as session:
            await ConnectionRepository(session).use_authorization(_hash(state))

    async def _unclaim(self, state: str) -> None:
        async with self._resources.sessions.begin() as session:
            await ConnectionRepository(session).unclaim(_hash(state))

    async def _claim(
        self, state: str, *, code: str | None, error: str | None, browser_key: str | None, user_id: UUID | None
    ) -> _Claimed:
        async with self._resources.sessions.begin() as session:
            connections = ConnectionRepository(session)
            authorization = await connections.authorization(_hash(state))
            begun_here = browser_key is not None and secrets.compare_digest(
                _hash(browser_key), authorization.browser_hash
            )
            if not begun_here and user_id != authorization.user_id:
                raise NotYourBrowser
            if authorization.claimed_until is not None and authorization.claimed_until > now():
                raise BeingFinished
            connection = await connections.of_user(authorization.connection_id, authorization.user_id)
            provider = self._resources.providers.get(connection.provider).description
            if error is not None or (code is None and provider.code):
                log.info("connection.denied", connection_id=str(connection.id), reason=error)
                raise ConsentDenied
            seconds = self._settings.callback_seconds + CLAIM_MARGIN_SECONDS
            authorization.claimed_until = now() + timedelta(seconds=seconds)
            secret, purpose = authorization.sealed_secret, f"consent:{connection.id}"
            version = await provider_version(session, connection.provider)
            back = Return(
                code=code,
                verifier=self._cipher.open(authorization.sealed_verifier, purpose=f"pkce:{connection.id}"),
                redirect_uri=self._redirect_uri,
                secret=self._cipher.open(secret, purpose=purpose) if secret is not None else None,
                held=self._held(connection, version),
            )
            own = connection.token_version
            return _Claimed(connection.id, connection.user_id, connection.provider, version, own, back)

    async def _link(self, session: AsyncSession, state: str, claimed: _Claimed, grant: Grant) -> Connection:
        connections = ConnectionRepository(session)
        await connections.one_at_a_time(claimed.user_id)
        try:
            connection = await connections.locked(claimed.connection_id, claimed.user_id)
        except ConnectionNotFound:
            raise AuthorizationGone from None  # erased meanwhile
        if connection.status == "revoked" or await is_erased(session, claimed.user_id):
            raise AuthorizationGone
        if claimed.mends_what_is_gone(connection, grant):
            raise AuthorizationGone
        await connections.use_authorization(_hash(state))
        if connection.external_id not in {None, grant.external_id}:
            if self._resources.providers.describe(connection.provider).lasting_ids:
                raise OtherCustomer
            await revoking.take_away(session, self._resources, connection, erases=False)
        if await connections.is_linked_elsewhere(connection, grant.external_id):
            raise AlreadyConnected
        sealing.store(self._cipher, connection, grant.tokens)
        connection.provider_version = claimed.provider_version
        connection.external_id = checked_name(grant.external_id)
        connection.status, connection.status_detail, connection.linked_at = "active", LINKED, now()
        connection.reauth_by, connection.warned_days = grant.ends_at, None
        connection.failures, connection.next_sync_at, connection.refreshing_until = 0, None, None
        provider = self._resources.providers.get(connection.provider)
        await audit.record(session, "tokens_granted", Owner.of(connection))
        await events.tell(session, connection, events.linked(connection, provider.description))
        await SyncRunRepository(session).enqueue(connection, "initial")
        return connection

    async def _give_back(self, claimed: _Claimed, grant: Grant) -> None:
        """Nothing shall use the tokens. Their provider is told to forget them, unless a connection has access to the
        same: that could be forgotten with them.
        """
        owner = Owner(claimed.connection_id, claimed.user_id, claimed.provider)
        async with self._resources.sessions.begin() as session:
            if await ConnectionRepository(session).has_access(owner, grant.external_id):
                await revoking.destroyed(session, owner, revoking.OTHER_GRANT)
            else:
                await revoking.queue(session, self._resources, owner, grant.tokens)

    async def _authorize(self, connections: ConnectionRepository, connection: Connection, prepared: Prepared) -> None:
        secret, purpose = prepared.secret, f"consent:{connection.id}"
        await connections.add_authorization(
            Authorization(
                state_hash=_hash(prepared.state),
                connection_id=connection.id,
                user_id=connection.user_id,
                browser_hash=_hash(prepared.browser_key),
                sealed_verifier=self._cipher.seal(prepared.verifier, purpose=f"pkce:{connection.id}"),
                sealed_secret=self._cipher.seal(secret, purpose=purpose) if secret is not None else None,
                expires_at=now() + timedelta(minutes=self._settings.connect_minutes),
            )
        )

    def _held(self, connection: Connection, version: int) -> Tokens | None:
        """For providers that mend access in place; what is dead or can't be read can be granted anew."""
        if connection.provider_version < version:
            return None
        try:
            return sealing.stored(self._cipher, connection)
        except DecryptionFailed:
            return None

    @property
    def _redirect_uri(self) -> str:
        return f"{self._settings.public_api_url}/api/v1/connections/callback"


@asynccontextmanager
async def _in_time(seconds: float, name: str) -> AsyncIterator[None]:
    """Raises UpstreamTimeout: a user waits."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise UpstreamTimeout(f"{name} did not answer in time. Try again.") from None


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
