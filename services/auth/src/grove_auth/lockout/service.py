"""The rules of trying passwords: each try is counted before it is checked, so that parallel guesses gain nothing.

Ten wrong ones in a row lock the address for an hour, the next ten for two, and so on; at a hundred only a reset helps.
Unknown, locked and wrong get the same answer after the same work. Tries with a device that the user trusts, or within a
session, are counted apart, so that strangers can't lock its user out.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import LoginLocked
from grove.core.clock import now
from grove.core.errors import ServiceUnavailable
from grove_auth.alerts.service import AlertService
from grove_auth.lockout.repository import AttemptRepository
from grove_auth.models import PasswordAttempts, User
from grove_auth.one_time_tokens import token_hash
from grove_auth.resources import Resources
from grove_auth.sessions.errors import InvalidCredentials

log = structlog.get_logger()

TRIES = 10
LAST_TRY = 100
FIRST_LOCK = timedelta(hours=1)
LONGEST_CHECK = timedelta(minutes=1)
LOOKS = 20
UNTIL_RESET = datetime(9999, 1, 1, tzinfo=UTC)


class PasswordCheck:
    """Checks passwords, and stops who guesses."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._attempts = AttemptRepository()
        self._alerts = AlertService(resources)

    async def prove(
        self, email: str, password: str, stored: str | None, user: User | None, device_id: UUID | None = None
    ) -> str | None:
        """Nothing, or a renewed hash to store, for a right password. Raises InvalidCredentials.

        Raises ServiceUnavailable too, when there are more tries at once than are left, or than can wait.
        `stored`: the hash that belongs to the address, None for an unknown one. `user` is told of a lock.
        `device_id`: the trusted device or the session of `user` that the request came with, counted apart.
        """
        device_of = user.id if user and device_id else None
        key = token_hash(f"{device_of}:{device_id}" if device_of else email)
        granted, attempts = await self._take(key, user, device_of)
        try:
            right, renewed = await self._resources.passwords.verify(password, stored if granted else None)
        except ServiceUnavailable:
            if granted:
                await self._attempts.give_back(key)
            raise
        if right:
            await self._attempts.forget(key)
            return renewed
        reason = "unknown" if stored is None else "wrong" if granted else "locked"
        await self._resources.audit.add("password.wrong", user.id if user else None, outcome="failure", reason=reason)
        if granted and attempts and attempts.left == 0:
            await self._lock(attempts, user)
        raise InvalidCredentials

    async def forget(self, user: User, transaction: AsyncClientSession) -> None:
        """The password was reset: begin anew."""
        await self.forget_address(user.email, transaction)
        await self._attempts.forget_devices(user.id, transaction)

    async def forget_address(self, email: str, transaction: AsyncClientSession) -> None:
        """The address is another account's now: begin anew."""
        await self._attempts.forget(token_hash(email), transaction)

    async def _take(
        self, key: bytes, user: User | None, device_of: UUID | None
    ) -> tuple[bool, PasswordAttempts | None]:
        """Whether there is a try, counted before it is made, and the counter then. None is left while it is locked.

        Raises ServiceUnavailable. Granted or locked, the counter is read and written once.
        """
        for _ in range(LOOKS):
            moment = now()
            granted = await self._attempts.take(key, moment)
            attempts = await self._attempts.get(key)
            if granted:
                return True, attempts
            if attempts is None:
                if await self._attempts.begin(key, moment, TRIES - 1, device_of):
                    return True, None
            elif attempts.locked_until > moment:
                await self._attempts.refuse(key, moment)
                return False, attempts
            elif attempts.left == 0 and moment - attempts.tried_at > LONGEST_CHECK:
                await self._lock(attempts, user)  # whoever made the last try died before the lock
            elif attempts.left == 0:
                break  # the last tries are under way, and may be right
        raise ServiceUnavailable("Too many sign-ins with this address at once. Try again in a moment.", retry_after=1)

    async def _lock(self, attempts: PasswordAttempts, user: User | None) -> None:
        moment, failures = now(), TRIES * (attempts.locks + 1)
        until = moment + FIRST_LOCK * 2**attempts.locks if failures < LAST_TRY else UNTIL_RESET

        async def store(transaction: AsyncClientSession) -> None:
            if not await self._attempts.lock(attempts, until, TRIES, transaction):
                return
            await self._resources.audit.add(
                "login.locked", user.id if user else None, transaction, outcome="failure", failures=str(failures)
            )
            if user is None:
                return
            fact = LoginLocked(
                user_id=user.id, until=until if until != UNTIL_RESET else None, failures=failures, locked_at=moment
            )
            await self._resources.facts.add(transaction, user.id, fact)
            ends = until.isoformat() if until != UNTIL_RESET else ""
            await self._alerts.add(transaction, user, "login_locked", failures=str(failures), until=ends)

        await self._resources.transaction(store)
        log.warning("password.locked", user_id=str(user.id) if user else None, failures=failures)
