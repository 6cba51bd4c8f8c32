"""Processes that fire reminders as workers do. Each line of input starts one, forked, and its pid is the answer."""

import asyncio
import os
import signal
import sys

from grove.core.settings import load
from grove_resource.reminders.firing import Firing
from grove_resource.resources import Resources
from grove_resource.settings import ResourceSettings


async def work(settings: ResourceSettings) -> None:
    resources = Resources(settings)
    await Firing(resources.sessions, resources.reads, look_seconds=0.05).run()


def serve() -> None:
    settings = load(ResourceSettings)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            asyncio.run(work(settings))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


serve()
