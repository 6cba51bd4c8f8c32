"""One run: fresh tokens, accounts, then transactions page by page; and what becomes of the connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import uniform
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from grove.core.clock import now
from grove.core.context import RequestContext, use_context
from grove.core.errors import GroveError, UpstreamTimeout
from grove.core.ids import new_id
from grove.postgres.engine import STORE_ERRORS, is_unavailable
from grove.security.encryption import DecryptionFailed
from grove.web.client import CircuitOpen
from grove_provider_sync.connections import events, standing
from grove_provider_sync.connections.standing import UP_TO_DATE, Lost
from grove_provider_sync.models import Connection, SyncRun
from grove_provider_sync.providers.interface import HistoryChanged, Provider, ProviderRefused, ProviderThrottled
from grove_provider_sync.providers.registry import ProviderNotFound
from grove_provider_sync.resources import Resources
from grove_provider_sync.sync.fetching import Fetching
from grove_provider_sync.sync.leasing import Lease, RunLost
from grove_provider_sync.sync.metrics import RUNS
from grove_provider_sync.sync.pages import Pages
from grove_provider_sync.sync.repository import SyncRunRepository
from grove_provider_sync.tokens import audit
from grove_provider_sync.tokens.errors import TokensGone
from grove_provider_sync.tokens.keeper import TokenKeeper
from grove_provider_sync.tokens.killing import kill
from grove_provider_sync.tokens.owner import Owner
from grove_provider_sync.tokens.versions import are_alive

log = structlog.get_logger()

LONGEST_PUT_OFF = timedelta(hours=6)
"""After so long of being told to wait, a run has failed."""
CIRCUIT_SECONDS = 10.0


class SyncRunner:
    """Runs connections. A run that is cut goes on at its cursor, in this worker or another."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._settings = resources.settings
        self._keeper = TokenKeeper(resources)

    async def drain(self) -> None:
        """Before the process ends, let providers answer that were asked for new tokens: the old ones may be spent."""
        await self._keeper.drain()

    async def run(self, connection_id: UUID) -> None:
        """Do the connection's open run; nothing when another worker has it or none is open."""
        lease = Lease(self._resources.sessions, connection_id, new_id(), self._settings.sync_lease_seconds)
        begun = await self._begin(lease)
        if begun is None:
            return
        run_id, provider_key = begun
        with use_context(RequestContext(request_id=str(run_id), route="provider-sync.run")):
            try:
                provider = self._resources.providers.get(provider_key)
                async with lease.renewed():
                    await self._work(lease, provider)
            except RunLost:
                log.info("sync.lost", connection_id=str(connection_id))
            except STORE_ERRORS as error:
                if is_unavailable(error):
                    raise  # the lease ends, and the run goes on
                await self._settle(lease, error)  # what the store does not take would come again and again
            except Exception as error:  # noqa: BLE001 - whatever an adapter meets, no run stays open for ever
                await self._settle_if_ours(lease, error)

    async def _settle_if_ours(self, lease: Lease, error: Exception) -> None:
        try:
            await self._settle(lease, error)
        except RunLost:
            log.info("sync.lost", connection_id=str(lease.connection_id))

    async def _settle(self, lease: Lease, error: Exception) -> None:
        """What becomes of a run that could not be done. Raises RunLost."""
        wait = _seconds_to_wait(error)
        if wait is not None:
            await self._put_off(lease, wait)
        elif isinstance(error, TokensGone):
            await self._without_tokens(lease)
        elif isinstance(error, ProviderRefused):
            await self._lose_access(lease, error.reason)
        elif isinstance(error, DecryptionFailed):
            await self._lose_access(lease, "unreadable")
        else:
            await self._fail(lease, error)

    async def _begin(self, lease: Lease) -> tuple[UUID, str] | None:
        async with self._resources.sessions.begin() as session:
            runs = SyncRunRepository(session)
            if not await runs.lease(lease.connection_id, lease.by, lease.end()):
                return None
            connection, run = await runs.locked(lease.connection_id), await runs.open_run(lease.connection_id)
            if connection is None:
                return None
            if run is None or (run.not_before is not None and run.not_before > now()):  # of a message that came late
                connection.lease_until = connection.leased_by = None
                return None
            run.status, run.started_at, run.not_before = "running", run.started_at or now(), None
            return run.id, connection.provider

    async def _work(self, lease: Lease, provider: Provider) -> None:
        fetching = Fetching(self._resources, self._keeper, lease, provider)
        accounts = await fetching.accounts()
        if await Pages(self._resources, lease, provider, fetching).apply_all():
            await self._complete(lease, provider, accounts)
        else:
            await self._put_off(lease, 0)

    async def _complete(self, lease: Lease, provider: Provider, accounts: int) -> None:
        async with self._resources.sessions.begin() as session:
            connection, run = await lease.of(session)
            moment, begun = now(), run.started_at or now()
            failing = await SyncRunRepository(session).failure_was_told(connection)
            again = run.trigger == "initial" and connection.last_synced_at is not None
            news = connection.news_at is not None and connection.news_at > begun
            standing.end_run(run, "completed", None, None)
            RUNS.labels(connection.provider, "completed").inc()
            connection.status, connection.status_detail = "active", standing.with_warning(connection, UP_TO_DATE)
            connection.failures, connection.last_synced_at = 0, moment
            connection.lease_until = connection.leased_by = None
            pause = timedelta(minutes=self._settings.sync_interval_minutes * uniform(0.95, 1.05))  # noqa: S311
            connection.next_sync_at = moment if news else moment + pause
            description = provider.description
            fact = events.run_completed(connection, description, run, accounts=accounts, after_failure=failing)
            await events.tell(session, connection, fact)
            if failing or again:
                await events.tell(session, connection, events.recovered(connection, description))

    async def _put_off(self, lease: Lease, seconds: float) -> None:
        """The provider wants a pause, or others their turn: the run goes on later, from its cursor."""
        async with self._ours(lease) as (session, connection, run):
            provider = self._resources.providers.describe(connection.provider)
            if seconds and now() - (run.started_at or now()) > LONGEST_PUT_OFF:
                words, retry = f"{provider.name} has asked us to wait for hours.", self._settings.sync_retry_seconds
                about = {"code": "throttled", "reason": words}
                await standing.fail(session, connection, provider, run, **about, retry_seconds=retry)
                return
            wait = seconds * uniform(1, 1.2)  # noqa: S311 - those that wait must not come back all at once
            _queue_again(connection, run, now() + timedelta(seconds=wait))
            if seconds > CIRCUIT_SECONDS:
                connection.status_detail = f"{provider.name} asked for a pause; it goes on by itself."
            RUNS.labels(connection.provider, "put_off").inc()
            log.info("sync.put_off", connection_id=str(connection.id), seconds=round(wait, 1))

    async def _fail(self, lease: Lease, error: Exception) -> None:
        code, reason = _told(error)
        if code == "fault":
            log.error("sync.fault", connection_id=str(lease.connection_id), exc_info=error)
        async with self._ours(lease) as (session, connection, run):
            provider = self._resources.providers.describe(connection.provider)
            seconds = self._settings.sync_retry_seconds
            RUNS.labels(connection.provider, "failed").inc()
            await standing.fail(session, connection, provider, run, code=code, reason=reason, retry_seconds=seconds)

    async def _lose_access(self, lease: Lease, code: Lost) -> None:
        async with self._ours(lease) as (session, connection, run):
            if (
                connection.linked_at is not None
                and run.started_at is not None
                and connection.linked_at > run.started_at
            ):
                _queue_again(connection, run, now())  # access was given anew since
                return
            provider = self._resources.providers.describe(connection.provider)
            await audit.record(session, "tokens_refused", Owner.of(connection), outcome="failure", reason=code)
            RUNS.labels(connection.provider, "lost_access").inc()
            await standing.lose_access(session, connection, provider, code, run)

    async def _without_tokens(self, lease: Lease) -> None:
        """They were killed with all others of the provider; or taken away, and then the run was ended as well."""
        async with self._ours(lease) as (session, connection, _):
            if not await are_alive(session, connection):
                await kill(session, self._resources, connection)

    @asynccontextmanager
    async def _ours(self, lease: Lease) -> AsyncIterator[tuple[AsyncSession, Connection, SyncRun]]:
        """A transaction about what is still ours. Raises RunLost."""
        async with self._resources.sessions.begin() as session:
            connection, run = await lease.of(session)
            yield session, connection, run


def _queue_again(connection: Connection, run: SyncRun, moment: datetime) -> None:
    run.status, run.not_before, run.handed_over_at = "queued", moment, None
    connection.lease_until = connection.leased_by = None


def _seconds_to_wait(error: Exception) -> float | None:
    """For a provider that is asked again later; None: it is something else."""
    if isinstance(error, ProviderThrottled):
        return error.retry_after
    return CIRCUIT_SECONDS if isinstance(error, CircuitOpen) else None


def _told(error: Exception) -> tuple[str, str]:
    """Why a run failed, for programs and for people."""
    if isinstance(error, ProviderNotFound):
        return "not_offered", "This provider is not offered here at the moment."
    if isinstance(error, HistoryChanged):
        return "history_changes", error.message
    if isinstance(error, UpstreamTimeout):
        return "timeout", error.message
    if isinstance(error, GroveError):
        return "unavailable", error.message
    return "fault", "What the provider sent could not be read."
