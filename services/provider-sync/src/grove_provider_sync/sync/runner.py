"""One run: fresh tokens, accounts, then transactions page by page, each page in one transaction with its cursor."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.contracts.event import EventData
from grove.core.backoff import full_jitter
from grove.core.clock import now
from grove.core.context import RequestContext, use_context
from grove.core.errors import GroveError
from grove.outbox.postgres import Outbox
from grove.security.encryption import DecryptionFailed
from grove_provider_sync.accounts.repository import AccountRepository
from grove_provider_sync.connections import events, tokens
from grove_provider_sync.models import Connection
from grove_provider_sync.providers.interface import (
    Provider,
    ProviderRefused,
    ProviderThrottled,
    TransactionPage,
)
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.transactions.repository import TransactionRepository

log = structlog.get_logger()

MAX_PAGES = 10_000
NEEDS_REAUTH = "The provider no longer accepts our access. Reconnect to go on."


class RunLost(Exception):
    """The connection was removed, or another worker took the run over."""


class SyncRunner:
    """Runs connections. A run that is cut goes on at its cursor, in this worker or another."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings

    async def run(self, connection_id: UUID) -> None:
        """Do the connection's open run; nothing when another worker has it or none is open."""
        begun = await self._begin(connection_id)
        if begun is None:
            return
        run_id, provider = begun
        with use_context(RequestContext(request_id=str(run_id), route="provider-sync.run")):
            try:
                accounts = await self._fetch_accounts(connection_id, provider)
                await self._fetch_transactions(connection_id, provider)
                await self._complete(connection_id, provider, accounts)
            except RunLost:
                log.info("sync.lost", connection_id=str(connection_id))
            except (ProviderRefused, DecryptionFailed):
                await self._fail(connection_id, provider, NEEDS_REAUTH, needs_reauth=True)
            except GroveError as error:
                wait = error.retry_after if isinstance(error, ProviderThrottled) else None
                await self._fail(connection_id, provider, error.message, wait_seconds=wait)

    async def _begin(self, connection_id: UUID) -> tuple[UUID, Provider] | None:
        async with self._resources.sessions.begin() as session:
            runs = SyncRunRepository(session)
            if not await runs.lease(connection_id, self._lease_end()):
                return None
            connection, run = await runs.locked(connection_id), await runs.open_run(connection_id)
            if connection is None or run is None or connection.sealed_tokens is None:
                if connection is not None:
                    connection.lease_until = None
                return None
            run.status, run.started_at = "running", run.started_at or now()
            return run.id, self._resources.providers.get(connection.provider)

    async def _access_token(self, connection_id: UUID, provider: Provider) -> str:
        """A token that lasts; a refreshed pair is stored before it is used. The row's lock makes it one refresh."""
        async with self._resources.sessions.begin() as session:
            connection = await self._held(session, connection_id)
            cipher = self._resources.token_cipher
            held = tokens.unseal(cipher, connection_id, connection.sealed_tokens or "")
            if held.expires_at > now() + timedelta(seconds=self._settings.refresh_ahead_seconds):
                return held.access_token
            fresh = await provider.refresh(held)
            connection.sealed_tokens = tokens.seal(cipher, connection_id, fresh)
            kind = "same" if fresh.refresh_token == held.refresh_token else "new"
            log.info("provider.token_refreshed", connection_id=str(connection_id), rotation_type=kind)
        return fresh.access_token

    async def _fetch_accounts(self, connection_id: UUID, provider: Provider) -> int:
        access_token = await self._access_token(connection_id, provider)
        found = await provider.accounts(access_token)
        async with self._resources.sessions.begin() as session:
            connection = await self._held(session, connection_id)
            await AccountRepository(session, connection.user_id).store(connection_id, found)
        return len(found)

    async def _fetch_transactions(self, connection_id: UUID, provider: Provider) -> None:
        seen: set[str | None] = set()
        for _ in range(MAX_PAGES):
            access_token = await self._access_token(connection_id, provider)
            async with self._resources.sessions.begin() as session:
                cursor = (await self._held(session, connection_id)).cursor
            page = await provider.transactions(access_token, cursor)
            if page.has_more and page.next_cursor in seen | {cursor}:
                raise GroveError("The provider's pages go round in a circle.")
            seen.add(cursor)
            await self._apply(connection_id, provider, page, cursor)
            if not page.has_more:
                return
        raise GroveError(f"The provider has more than {MAX_PAGES} pages.")

    async def _apply(self, connection_id: UUID, provider: Provider, page: TransactionPage, cursor: str | None) -> None:
        async with self._resources.sessions.begin() as session:
            connection = await self._held(session, connection_id)
            run = await SyncRunRepository(session).open_run(connection_id)
            if run is None or connection.cursor != cursor:
                raise RunLost
            accounts = await AccountRepository(session, connection.user_id).ids(connection_id)
            changes = await TransactionRepository(session, connection.user_id).apply(connection_id, accounts, page)
            connection.cursor = page.next_cursor
            run.added += len(changes.added)
            run.changed += len(changes.changed)
            run.removed += len(changes.removed)
            if changes.any:
                fact = events.transactions_changed(
                    connection,
                    provider.description,
                    added=len(changes.added),
                    changed=len(changes.changed),
                    removed=len(changes.removed),
                    ids=[*changes.added, *changes.changed, *changes.removed],
                )
                await self._tell(session, connection, fact)

    async def _complete(self, connection_id: UUID, provider: Provider, accounts: int) -> None:
        async with self._resources.sessions.begin() as session:
            connection = await self._held(session, connection_id)
            run = await SyncRunRepository(session).open_run(connection_id)
            if run is None:
                raise RunLost
            moment = now()
            after_failure = connection.failures > 0
            run.status, run.finished_at = "completed", moment
            connection.status, connection.status_detail = "active", "Up to date."
            connection.failures, connection.last_synced_at, connection.lease_until = 0, moment, None
            connection.next_sync_at = moment + timedelta(minutes=self._settings.sync_interval_minutes)
            fact = events.run_completed(
                connection, provider.description, run, accounts=accounts, after_failure=after_failure
            )
            await self._tell(session, connection, fact)

    async def _fail(
        self,
        connection_id: UUID,
        provider: Provider,
        reason: str,
        *,
        needs_reauth: bool = False,
        wait_seconds: float | None = None,
    ) -> None:
        async with self._resources.sessions.begin() as session:
            runs = SyncRunRepository(session)
            connection, run = await runs.locked(connection_id), await runs.open_run(connection_id)
            if connection is None or run is None:
                return
            run.status, run.finished_at, run.error = "failed", now(), reason[:500]
            connection.failures += 1
            connection.lease_until = None
            connection.status_detail = reason[:500]
            if needs_reauth:
                connection.status, connection.next_sync_at = "needs_reauth", None
                fact: EventData = events.needs_reauth(
                    connection, provider.description, reason.split(". ", maxsplit=1)[0] + "."
                )
            else:
                pause = wait_seconds or 30 + full_jitter(connection.failures, base=60, cap=6 * 3600)
                connection.status, connection.next_sync_at = "error", now() + timedelta(seconds=pause)
                fact = events.run_failed(connection, provider.description, run, reason)
            await self._tell(session, connection, fact)
        log.warning("sync.run_failed", connection_id=str(connection_id), reason=reason)

    async def _held(self, session: AsyncSession, connection_id: UUID) -> Connection:
        """The connection, locked, with our lease on it renewed. Raises RunLost when it is gone."""
        connection = await SyncRunRepository(session).locked(connection_id)
        if connection is None or connection.sealed_tokens is None:
            raise RunLost
        connection.lease_until = self._lease_end()
        return connection

    async def _tell(self, session: AsyncSession, connection: Connection, fact: EventData) -> None:
        connection.sequence += 1
        await Outbox(session, self._settings.service).add((fact, connection.sequence))

    def _lease_end(self) -> datetime:
        return now() + timedelta(seconds=self._settings.sync_lease_seconds)
