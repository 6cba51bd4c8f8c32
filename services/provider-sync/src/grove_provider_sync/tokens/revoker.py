"""Gives tokens back: tells providers to forget what nothing uses any more, until they did or the time is over."""

import asyncio
from datetime import timedelta
from random import uniform

import structlog
from sqlalchemy import ColumnElement, func, select

from grove.core.backoff import full_jitter
from grove.core.clock import now
from grove.core.errors import GroveError, UpstreamTimeout
from grove.core.tasks import side_by_side
from grove.postgres.engine import STORE_ERRORS
from grove.postgres.reads import Statement
from grove.security.encryption import DecryptionFailed
from grove.web.client import CircuitOpen
from grove_provider_sync.models import TokenRevocation
from grove_provider_sync.providers.interface import Provider, ProviderRefused, ProviderThrottled, Tokens
from grove_provider_sync.providers.turns import calling_for
from grove_provider_sync.resources import Resources
from grove_provider_sync.tokens import metrics, sealing
from grove_provider_sync.tokens.claiming import Claimed, claim, of_others, of_provider, put_off
from grove_provider_sync.tokens.revoking import end, purpose_of

log = structlog.get_logger()

LOOK_SECONDS = 1.0
AT_ONCE = 8
"""Tokens of one provider that a worker gives back at the same time."""
MARGIN_SECONDS = 10.0
"""What a lease lasts longer than a call: for writing down how it ended."""
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 3600.0
CIRCUIT_SECONDS = 10.0
ALARM_SECONDS = 3600.0

_STAND = Statement(select(func.count().label("waiting"), func.min(TokenRevocation.created_at).label("oldest")))


class TokenRevoker:
    """Works through token_revocations, in every worker, a loop for each provider: a slow one holds up no other.

    No transaction is open while a provider is asked. A worker that dies lets go what it had with its lease; to be told
    twice to forget does a provider no harm.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        settings = resources.settings
        self._call_seconds = settings.provider_total_seconds + settings.provider_wait_seconds
        self._lease_seconds = self._call_seconds + MARGIN_SECONDS

    async def run(self) -> None:
        """Give back until cancelled."""
        await side_by_side(*(self._serve(provider) for provider in (*self._resources.providers.all(), None)))

    async def revoke_due(self, provider: Provider | None) -> int:
        """Try what is due at the provider now, a few at a time; None: of those not offered any more. How many."""
        async with self._resources.sessions.begin() as session:
            which = self._which(provider)
            claimed = await claim(session, which, most=AT_ONCE, lease_seconds=self._lease_seconds)
        await asyncio.gather(*(self._try(provider, one) for one in claimed))
        return len(claimed)

    async def check(self) -> str | None:
        """A health check; also feeds the metrics."""
        stand = await self._resources.reads.first(_STAND)
        waiting, oldest = (stand.waiting, stand.oldest) if stand is not None else (0, None)
        seconds = (now() - oldest).total_seconds() if oldest is not None else 0.0
        metrics.WAITING.set(waiting)
        metrics.OLDEST.set(seconds)
        if seconds <= ALARM_SECONDS:
            return None
        most = self._resources.settings.revoke_within_hours
        return f"tokens wait for {seconds / 3600:.1f} h to be given back, and are destroyed after {most:g} h"

    async def _serve(self, provider: Provider | None) -> None:
        while True:
            try:
                if await self.revoke_due(provider) == AT_ONCE:
                    continue
            except STORE_ERRORS as error:
                log.warning("revocations.store_unreachable", error=str(error) or type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    def _which(self, provider: Provider | None) -> ColumnElement[bool]:
        if provider is not None:
            return of_provider(provider.description.key)
        return of_others([each.description.key for each in self._resources.providers.all()])

    async def _try(self, provider: Provider | None, claimed: Claimed) -> None:
        try:
            await self._settle(provider, claimed)
        except STORE_ERRORS as error:  # its lease ends, and it is tried again
            log.warning("revocations.store_unreachable", error=str(error) or type(error).__name__)

    async def _settle(self, provider: Provider | None, claimed: Claimed) -> None:
        if provider is None:
            await self._destroy(claimed, "the provider is no longer offered")
            return
        try:
            tokens = self._opened(claimed)
        except DecryptionFailed as error:
            log.error("provider.tokens_unreadable", connection_id=str(claimed.owner.connection_id), error=str(error))
            await self._destroy(claimed, "they could not be read")
            return
        try:
            await self._tell(provider, claimed, tokens)
        except ProviderRefused:
            await self._forgotten(claimed)  # before we asked
        except Exception as error:  # noqa: BLE001 - whatever an adapter meets, tokens do not stay for ever
            await self._again(claimed, error)
        else:
            await self._forgotten(claimed)

    def _opened(self, claimed: Claimed) -> Tokens:
        return sealing.read(self._resources.token_cipher.open(claimed.sealed_tokens, purpose=purpose_of(claimed.id)))

    async def _tell(self, provider: Provider, claimed: Claimed, tokens: Tokens) -> None:
        try:
            with calling_for(claimed.owner.connection_id):
                async with asyncio.timeout(self._call_seconds):
                    await provider.revoke(tokens)
        except TimeoutError:
            raise UpstreamTimeout(f"{provider.description.name} did not answer in time.") from None

    async def _forgotten(self, claimed: Claimed) -> None:
        async with self._resources.sessions.begin() as session:
            if await end(session, claimed.id):
                metrics.REVOCATIONS.labels(claimed.owner.provider, "revoked").inc()
                log.info("provider.tokens_revoked", connection_id=str(claimed.owner.connection_id))

    async def _destroy(self, claimed: Claimed, reason: str) -> None:
        async with self._resources.sessions.begin() as session:
            if await end(session, claimed.id, untold=reason):
                metrics.REVOCATIONS.labels(claimed.owner.provider, "destroyed").inc()
                log.warning(
                    "provider.tokens_destroyed",
                    connection_id=str(claimed.owner.connection_id),
                    provider=claimed.owner.provider,
                    reason=reason,
                )

    async def _again(self, claimed: Claimed, error: Exception) -> None:
        """The provider could not be told. What it asks for is waited for; else each failure makes the pause longer."""
        if now() >= claimed.give_up_at:
            await self._destroy(claimed, "the provider could not be told in time")
            return
        asked = _seconds_asked_for(error)
        seconds = asked if asked is not None else _pause(claimed.attempts + 1)
        metrics.REVOCATIONS.labels(claimed.owner.provider, "failed" if asked is None else "put_off").inc()
        log.info(
            "provider.revocation_failed",
            connection_id=str(claimed.owner.connection_id),
            provider=claimed.owner.provider,
            reason=str(error) if isinstance(error, GroveError) else type(error).__name__,
            seconds=round(seconds),
        )
        async with self._resources.sessions.begin() as session:
            await put_off(session, claimed, now() + timedelta(seconds=seconds), counts=asked is None)


def _seconds_asked_for(error: Exception) -> float | None:
    """How long a provider wants a pause, or is not asked since others failed; spread, so that not all come at once."""
    if isinstance(error, ProviderThrottled):
        return error.retry_after * uniform(1, 1.2)  # noqa: S311 - timing, not a secret
    return CIRCUIT_SECONDS * uniform(1, 2) if isinstance(error, CircuitOpen) else None  # noqa: S311


def _pause(attempt: int) -> float:
    """Seconds after try number `attempt`, from 1."""
    grown = FIRST_PAUSE_SECONDS / 2 + full_jitter(attempt, base=FIRST_PAUSE_SECONDS, cap=LONGEST_PAUSE_SECONDS)
    return min(LONGEST_PAUSE_SECONDS, grown)
