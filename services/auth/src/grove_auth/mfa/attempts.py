"""The count of second factors that were tried, apart from the passwords': neither helps to guess or to lock the other.

Each try is counted, and the tenth locked, before it is checked; a right one takes both back.
"""

from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import LoginLocked
from grove.core.clock import now
from grove.core.errors import ServiceUnavailable
from grove_auth.alerts.service import AlertService
from grove_auth.mfa import rules
from grove_auth.mfa.errors import TooManyCodes, WrongCode
from grove_auth.mfa.repository import FactorRepository
from grove_auth.models import User
from grove_auth.models.second_factors import NEVER
from grove_auth.resources import Resources

log = structlog.get_logger()

LOOKS = 50
LONGEST_WAIT = 86_400


class FactorAttempts:
    """Counts, and stops who guesses."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._factors = FactorRepository()
        self._alerts = AlertService(resources)

    async def take(self, user_id: UUID) -> int:
        """A try; how many there are now since the last right one. Raises TooManyCodes while the account rests."""
        for _ in range(LOOKS):
            factors, moment = await self._factors.get(user_id), now()
            if factors is None:
                raise WrongCode  # turned off meanwhile
            if factors.locked_until > moment:
                rest = factors.locked_until - moment
                raise TooManyCodes(min(LONGEST_WAIT, int(rest.total_seconds()) + 1))
            tried = factors.failures + 1
            lock = rules.locked_until(tried, moment)
            if await self._factors.count_failure(user_id, factors.failures, lock or NEVER):
                return tried
        raise ServiceUnavailable("Too many codes at once. Try again in a moment.", retry_after=1)

    async def right(self, user_id: UUID) -> None:
        """Begin anew."""
        await self._factors.forgive(user_id)

    async def wrong(self, user: User, tried: int) -> None:
        """Write it down, and tell the user of a lock, by mail too: who guesses codes knows the password."""
        moment = now()
        lock = rules.locked_until(tried, moment)
        if lock is None:
            await self._resources.audit.add("mfa.wrong", user.id, outcome="failure")
            return
        until = lock if lock != rules.UNTIL_RECOVERY else None
        fact = LoginLocked(user_id=user.id, until=until, failures=tried, locked_at=moment, factor="second")

        async def store(transaction: AsyncClientSession) -> None:
            await self._resources.facts.add(transaction, user.id, fact)
            ends = until.isoformat() if until else ""
            await self._alerts.add(transaction, user, "mfa_locked", failures=str(tried), until=ends)
            await self._resources.audit.add("mfa.locked", user.id, transaction, outcome="failure")

        await self._resources.transaction(store)
        log.warning("mfa.locked", user_id=str(user.id), failures=tried)
