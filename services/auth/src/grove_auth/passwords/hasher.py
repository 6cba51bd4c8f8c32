"""Argon2id in a bounded pool: as many threads as cores, a limited queue, 503 beyond it."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from grove.core.errors import ServiceUnavailable
from grove_auth.passwords.rules import normalised
from grove_auth.settings import AuthSettings

T = TypeVar("T")


def _give_way() -> None:
    """Let everything else go first, so that a storm of logins delays nothing but logins. Linux has it by thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


BCRYPT_BYTES = 72


class _Bcrypt(BcryptHasher):
    """bcrypt as it was when the hash was made: it looked at the first 72 bytes and passed over the rest."""

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - pwdlib's name
        """Whether the hash is the password's. A hash that bcrypt can't read is nobody's."""
        text = password.encode() if isinstance(password, str) else password
        try:
            return super().verify(text[:BCRYPT_BYTES], hash)
        except ValueError:
            return False


class PasswordHasher:
    """Hashes and verifies. bcrypt and Argon2 hashes made elsewhere verify too and are renewed at login."""

    def __init__(self, settings: AuthSettings) -> None:
        self._hash = PasswordHash(
            (
                Argon2Hasher(
                    time_cost=settings.argon2_iterations,
                    memory_cost=settings.argon2_memory_kib,
                    parallelism=settings.argon2_parallelism,
                ),
                _Bcrypt(),
            )
        )
        self._threads = ThreadPoolExecutor(
            max_workers=os.cpu_count() or 1, thread_name_prefix="password", initializer=_give_way
        )
        self._most = settings.password_queue
        self._waiting = 0
        self._nobody = self._hash.hash("no account has this password")

    async def hash(self, password: str) -> str:
        """The hash to store. Raises ServiceUnavailable when too many wait."""
        return await self._run(lambda: self._hash.hash(normalised(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """(right, a renewed hash to store or None). Without a stored hash it takes as long and is False."""
        right, renewed = await self._run(lambda: self._verify(normalised(password), stored or self._nobody))
        return (right, renewed) if stored else (False, None)

    def _verify(self, password: str, stored: str) -> tuple[bool, str | None]:
        try:
            return self._hash.verify_and_update(password, stored)
        except UnknownHashError:  # of a kind that we don't know: takes as long as any, and is nobody's
            return False, self._hash.verify_and_update(password, self._nobody)[1]

    async def run(self, work: Callable[[], T]) -> T:
        """Other heavy work on passwords, under the same bounds."""
        return await self._run(work)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most:
            raise ServiceUnavailable("Too many sign-ins at once. Try again in a moment.", retry_after=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
