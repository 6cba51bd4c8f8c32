"""Wrong passwords by address, by network and in the whole suite: who must solve a CAPTCHA first, and who must wait.

Each sign-in is counted for its network before its password is looked at; a right one is taken off again, and takes off
nothing else, so an attacker's own account does not help. However many people sign in behind one address, only wrong
passwords add up: some hundreds in an hour shut the network out for what is left of the hour. Addresses without an
account count alike.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog

from grove.core.context import current_context
from grove.core.errors import RateLimited, ServiceUnavailable
from grove.security.network import network_of
from grove.valkey.client import VALKEY_ERRORS
from grove.web.rate_limit import VALKEY_PAUSE_SECONDS
from grove_auth.audit.log import AuditLog
from grove_auth.lockout.guess_store import Alarms, Bounds, Counts, GuessStore, LocalGuesses, Source, ValkeyGuesses
from grove_auth.one_time_tokens import token_hash
from grove_auth.sessions.errors import InvalidCredentials
from grove_auth.settings import AuthSettings

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether somebody must solve a CAPTCHA, and why."""

    guessing: bool
    high: bool

    @property
    def suspicious(self) -> bool:
        """Whether they must."""
        return self.guessing or self.high


def source_of(email: str, device: tuple[UUID, UUID] | None = None) -> Source:
    """Whose tries the present request is counted with. `device`: a user and their trusted device, counted apart."""
    if device is not None:
        own = token_hash(f"{device[0]}:{device[1]}").hex()[:32]
        return Source(f"device:{own}", f"device:{own}")
    context = current_context()
    return Source(token_hash(email).hex()[:32], network_of(context.client_ip if context else None))


class Guesses:
    """Counts wrong passwords."""

    def __init__(self, valkey: Any, settings: AuthSettings, audit: AuditLog) -> None:
        self._shared: GuessStore = ValkeyGuesses(valkey, settings.service)
        self._local: GuessStore = LocalGuesses()
        self._audit = audit
        self._bounds = Bounds(settings.network_wrong_passwords, settings.captcha_failure_rate)
        self._tolerated = settings.captcha_after_failures
        self._skip_until = 0.0

    async def standing(self, source: Source) -> Standing:
        """How it stands, without a try."""
        return self._standing(await self._on_store(lambda store: store.look(source, self._bounds, take=False)))

    @asynccontextmanager
    async def trying(self, source: Source) -> AsyncIterator[Standing]:
        """A try of a password within the block, which raises InvalidCredentials for a wrong one.

        Raises RateLimited when the network had too many wrong ones, ServiceUnavailable when it has as many under way.
        A try whose end nobody saw stays counted as one under way.
        """
        counts = await self._on_store(lambda store: store.look(source, self._bounds, take=True))
        if not counts.granted and counts.failed >= self._bounds.network:
            raise RateLimited(-int(-counts.seconds // 1))
        if not counts.granted:
            raise ServiceUnavailable("Too many sign-ins from your network at once. Try again in a moment.")
        try:
            yield self._standing(counts)
        except InvalidCredentials:
            await self._raise(await self._on_store(lambda store: store.end(source, self._bounds, "wrong")))
            raise
        except Exception:
            await self._on_store(lambda store: store.end(source, self._bounds, "void"))
            raise
        await self._on_store(lambda store: store.end(source, self._bounds, "right"))

    async def forget(self, email: str) -> None:
        """The password was reset: its address begins anew."""
        await self._on_store(lambda store: store.forget(source_of(email).address))

    def _standing(self, counts: Counts) -> Standing:
        guessing = 0 < self._tolerated <= max(counts.address, counts.failed)
        return Standing(guessing, counts.high and self._bounds.suite > 0)

    async def _raise(self, alarms: Alarms) -> None:
        if alarms.network:
            await self._audit.add("network.locked", None, outcome="failure")
            log.warning("network.locked")
        if alarms.suite:
            await self._audit.add("captcha.high_traffic", None, outcome="failure")
            log.warning("captcha.high_traffic", wrong_passwords=self._bounds.suite)

    async def _on_store(self, work: Callable[[GuessStore], Awaitable[T]]) -> T:
        if time.monotonic() >= self._skip_until:
            try:
                return await work(self._shared)
            except VALKEY_ERRORS as error:
                self._skip_until = time.monotonic() + VALKEY_PAUSE_SECONDS
                log.warning("guesses.local", reason=str(error) or type(error).__name__)
        return await work(self._local)
