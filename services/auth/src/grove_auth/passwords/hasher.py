"""Argon2id in a bounded pool: as many threads as cores, a limited queue, 503 beyond it."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from grove_auth.passwords.rules import normalised
from grove_auth.passwords.turns import Turns
from grove_auth.settings import AuthSettings

T = TypeVar("T")

CORES = os.cpu_count() or 1
BCRYPT_BYTES = 72
"""bcrypt looks at no more. Who hashed longer passwords cut them there, and the library refuses to."""


def _give_way() -> None:
    """Let everything else go first, so that a storm of logins delays nothing but logins. Linux has it by thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


class PasswordHasher:
    """Hashes and verifies. bcrypt and Argon2 hashes made elsewhere verify too and are renewed at login."""

    def __init__(self, settings: AuthSettings) -> None:
        self._argon2 = Argon2Hasher(
            time_cost=settings.argon2_iterations,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        )
        self._hash = PasswordHash((self._argon2, BcryptHasher()))
        self._threads = ThreadPoolExecutor(max_workers=CORES, thread_name_prefix="password", initializer=_give_way)
        self.turns = Turns(CORES, settings.password_queue)
        self._nobody = self._hash.hash("no account has this password")

    async def hash(self, password: str) -> str:
        """The hash to store. Raises ServiceUnavailable when too many wait."""
        return await self._run(lambda: self._hash.hash(normalised(password)))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """(right, a renewed hash to store or None). Without a stored hash it takes as long and is False."""
        right, renewed = await self._run(lambda: self._check(password, stored or self._nobody))
        return (right, renewed) if stored else (False, None)

    async def run(self, work: Callable[[], T]) -> T:
        """Other heavy work on passwords, under the same bounds."""
        return await self._run(work)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, password: str, stored: str) -> tuple[bool, str | None]:
        ours = normalised(password)
        for text in dict.fromkeys((ours, password)):  # elsewhere it may have been hashed as it was typed
            if self._fits(text, stored):
                current = text == ours and not self._needs_rehash(stored)
                return True, None if current else self._hash.hash(ours)
        return False, None

    def _fits(self, text: str, stored: str) -> bool:
        try:
            if BcryptHasher.identify(stored):
                return self._hash.verify(text.encode()[:BCRYPT_BYTES], stored)
            return self._hash.verify(text, stored)
        except (PwdlibError, ValueError):  # a hash that can't be read is nobody's password, and takes as long as any
            self._hash.verify(text, self._nobody)
            return False

    def _needs_rehash(self, stored: str) -> bool:
        return not self._argon2.identify(stored) or self._argon2.check_needs_rehash(stored)

    async def _run(self, work: Callable[[], T]) -> T:
        async with self.turns.take():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
