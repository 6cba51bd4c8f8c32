"""Processes that ask for a connection's tokens as workers do.

Each line of input is `<connection> <how>`. It starts a process, forked, which is answered as `<pid> started`; what came
of it follows as `<pid> <outcome>`: a hash of the access token, or the name of an error. One that `dies` is killed when
the provider has answered, before anything is stored.
"""

import asyncio
import hashlib
import os
import signal
import sys
from uuid import UUID

from grove.core.settings import load
from grove_provider_sync.providers.registry import load_adapters
from grove_provider_sync.resources import Resources
from grove_provider_sync.settings import ProviderSyncSettings
from grove_provider_sync.tokens.keeper import TokenKeeper

ANSWERS = os.dup(sys.stdout.fileno())


def say(pid: int, what: str) -> None:
    os.write(ANSWERS, f"{pid} {what}\n".encode())


async def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def ask(settings: ProviderSyncSettings, connection_id: UUID, how: str) -> None:
    resources = Resources(settings, load_adapters(settings))
    if how == "dies":
        TokenKeeper._store = die
    try:
        tokens = await TokenKeeper(resources).tokens(connection_id)
    except Exception as error:  # noqa: BLE001 - its name is the answer
        say(os.getpid(), type(error).__name__)
    else:
        say(os.getpid(), hashlib.sha256(tokens.access_token.encode()).hexdigest())
    await resources.aclose()


def serve() -> None:
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # for the log
    settings = load(ProviderSyncSettings)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    for line in sys.stdin:
        connection_id, how = line.split()
        pid = os.fork()
        if pid == 0:
            asyncio.run(ask(settings, UUID(connection_id), how))
            os._exit(0)
        say(pid, "started")


serve()
